"""Questions about many cases. A list is one query, written once for agents and contacts each; names of columns come from enums only (R48)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from portal.database import current
from portal.desk.cases import Case
from portal.desk.workflow import Priority, Status
from portal.numbers import number_in
from portal.people.readers import AgentReader, ContactReader

PAGE = 25
COUNTED = 1000
"""Cases that a list counts; beyond, it says "more than"."""
LONGEST_TEXT = 200
MOST_WORDS = 6

OPEN = "c.status not in ('resolved', 'closed')"


class View(StrEnum):
    """What the agents' rail offers."""

    MINE = "mine"
    UNASSIGNED = "unassigned"
    WAITING = "waiting"
    ALL = "all"
    CLOSED = "closed"


class Sort(StrEnum):
    """What a list can be sorted by; the same again turns it round."""

    UPDATED = "updated"
    NUMBER = "number"
    SUBJECT = "subject"
    CUSTOMER = "customer"
    STATUS = "status"
    PRIORITY = "priority"
    AGENT = "agent"


_COLUMNS = {
    Sort.UPDATED: "c.updated_at",
    Sort.NUMBER: "c.number",
    Sort.SUBJECT: "c.subject_folded",
    Sort.CUSTOMER: "u.folded",
    Sort.STATUS: "array_position(array['new', 'open', 'waiting_for_customer', 'waiting_for_others', 'resolved', 'closed'], c.status)",
    Sort.PRIORITY: "c.priority",
    Sort.AGENT: "a.folded",
}
_DOWN_FIRST = (Sort.UPDATED, Sort.NUMBER, Sort.PRIORITY)


@dataclass(frozen=True, slots=True)
class Question:
    """What an agent's list shows. `turned`: against the direction that is usual for its sort."""

    view: View = View.ALL
    text: str = ""
    status: Status | None = None
    priority: Priority | None = None
    customer_id: int | None = None
    agent_id: int | None = None
    sort: Sort = Sort.UPDATED
    turned: bool = False
    page: int = 1

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Question":
        """What an address asks; a value that makes no sense counts as not asked, so that no address breaks the list."""
        return cls(
            view=_chosen(View, query.get("view")) or View.ALL,
            text=searched(query),
            status=_chosen(Status, query.get("status")),
            priority=_chosen(Priority, number_in(query.get("priority"))),
            customer_id=number_in(query.get("customer")),
            agent_id=number_in(query.get("agent")),
            sort=_chosen(Sort, query.get("sort")) or Sort.UPDATED,
            turned=query.get("turned") == "yes",
            page=min(max(number_in(query.get("page")) or 1, 1), 10_000),
        )

    @property
    def is_filtered(self) -> bool:
        """Whether it asks for less than its view has."""
        return bool(self.text or self.status or self.priority or self.customer_id or self.agent_id)

    def address(self, **changes: Any) -> str:
        """This question as the query of an address, with some answers changed; a changed question begins on its first page."""
        asked = replace(self, page=1, **changes) if "page" not in changes else replace(self, **changes)
        values = {
            "view": asked.view.value,
            "text": asked.text,
            "status": asked.status and asked.status.value,
            "priority": asked.priority and int(asked.priority),
            "customer": asked.customer_id,
            "agent": asked.agent_id,
            "sort": asked.sort.value if asked.sort is not Sort.UPDATED else "",
            "turned": "yes" if asked.turned else "",
            "page": asked.page if asked.page > 1 else "",
        }
        return "?" + urlencode({name: value for name, value in values.items() if value})

    @property
    def among_closed(self) -> str:
        """The address that asks the same of what is resolved or closed."""
        return self.address(view=View.CLOSED)

    def sorted_by(self, sort: Sort) -> str:
        """The address that sorts by this column, or turns it round where it does so already."""
        return self.address(sort=sort, turned=not self.turned if sort is self.sort else False)

    @property
    def is_falling(self) -> bool:
        """Whether its largest or newest row comes first."""
        return (self.sort in _DOWN_FIRST) is not self.turned

    def conditions(self, reader: AgentReader) -> tuple[str, list[Any]]:
        """SQL after `where`, with its parameters from $1."""
        sql, values = [Case.visible_sql(reader, "c")], list[Any]()

        def ask(condition: str, value: Any) -> None:
            values.append(value)
            sql.append(condition.replace("?", f"${len(values)}"))

        if self.view is View.CLOSED:
            sql.append("c.status in ('resolved', 'closed')")
        elif not (self.view is View.ALL and self.status and self.status.is_done):
            sql.append(OPEN)
        if self.view is View.MINE:
            ask("c.agent_id = ?", reader.id)
        elif self.view is View.UNASSIGNED:
            sql.append("c.agent_id is null")
        elif self.view is View.WAITING:
            sql.append("c.status in ('waiting_for_customer', 'waiting_for_others')")
        for condition, value in (
            ("c.status = ?", self.status and self.status.value),
            ("c.priority = ?", self.priority and int(self.priority)),
            ("c.customer_id = ?", self.customer_id),
            ("c.agent_id = ?", self.agent_id),
        ):
            if value is not None:
                ask(condition, value)
        for condition, value in _words(self.text, customers=True):
            ask(condition, value)
        return " and ".join(sql), values


@dataclass(frozen=True, slots=True)
class Row:
    """Hold what a list shows of one case."""

    id: int
    number: int
    subject: str
    customer: str
    contact: str
    status: Status
    priority: Priority
    agent: str | None
    updated_at: datetime
    has_files: bool

    @property
    def status_word(self) -> str:
        return self.status.word

    @property
    def priority_word(self) -> str:
        return self.priority.word


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list: its rows, and how many there are in all; `total` is exact up to `COUNTED`."""

    rows: list[Row]
    total: int
    page: int

    @property
    def first(self) -> int:
        return (self.page - 1) * PAGE + 1 if self.rows else 0

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1 if self.rows else 0

    @property
    def total_words(self) -> str:
        return f"more than {COUNTED:,}" if self.total > COUNTED else f"{self.total:,}"

    @property
    def has_next(self) -> bool:
        return self.total > self.page * PAGE

    @property
    def next_count(self) -> int:
        """How many the next page has."""
        return min(PAGE, self.total - self.page * PAGE)


# What an order may name beside the case, by its alias. "offset 0" keeps the planner from folding a name once for each of its cases.
_JOINS = {
    "u.": " join (select id, folded(name) as folded from customer offset 0) u on u.id = c.customer_id",
    "a.": " left join (select id, folded(name) as folded from agent offset 0) a on a.id = c.agent_id",
}


def _listing(condition: str, order: str, *, offset: str = "", counted: bool = True) -> str:
    # Names and flags are looked up for the page's rows only, so their cost does not grow with the number of cases.
    # A limit that PostgreSQL knows lets it keep the plan, which costs more to find than the first page to read.
    needed = "".join(join for alias, join in _JOINS.items() if order.startswith(alias))
    total = f"(select count(*) from (select 1 from cases c where {condition} limit {COUNTED} + 1) as counted)"  # noqa: S608
    return f"""
with matching as (
  select found.*, row_number() over () as place from (
    select c.id, c.number, c.subject, c.status, c.priority, c.updated_at, c.customer_id, c.contact_id, c.agent_id
    from cases c{needed} where {condition} order by {order} limit {PAGE}{offset}
  ) as found
)
select p.id, p.number, p.subject, p.status, p.priority, p.updated_at, u.name as customer, o.name as contact, a.name as agent,
  exists (select 1 from message m join attachment f on f.message_id = m.id where m.case_id = p.id) as has_files,
  {total if counted else "0"} as total
from matching p join customer u on u.id = p.customer_id join contact o on o.id = p.contact_id left join agent a on a.id = p.agent_id
order by p.place
"""  # noqa: S608


async def agents_list(reader: AgentReader, question: Question, counted: Mapping[str, int] | None = None) -> Listed:
    """One page of what an agent asks for, by one query. `counted`: what `counts` said, so that a whole view is not counted twice."""
    condition, values = question.conditions(reader)
    way = "desc" if question.is_falling else "asc"
    # Only the agent can be missing; "nulls last" elsewhere would keep the index from being used.
    missing = " nulls last" if question.sort is Sort.AGENT else ""
    order = f"{_COLUMNS[question.sort]} {way}{missing}, c.id {way}"
    known = counted.get(question.view) if counted and not question.is_filtered else None
    offset, skipped = _offset(question.page, len(values))
    sql = _listing(condition, order, offset=offset, counted=known is None)
    return _listed(await current().fetch(sql, *values, *skipped), question.page, known)


_COUNTS = "select " + ", ".join(  # noqa: S608 (conditions of ours)
    f"(select count(*) from (select from cases c where {OPEN}{narrower} limit {COUNTED + 1}) x) as {view.value}"  # noqa: S608
    for view, narrower in {
        View.MINE: " and c.agent_id = $1",
        View.UNASSIGNED: " and c.agent_id is null",
        View.WAITING: " and c.status in ('waiting_for_customer', 'waiting_for_others')",
        View.ALL: "",
    }.items()
)


async def counts(reader: AgentReader) -> dict[str, int]:
    """How many open cases each view of the rail has, by one query; `COUNTED` + 1 means more than that: it costs the same however many."""
    return dict(await current().fetchrow(_COUNTS, reader.id))


async def customers_list(reader: ContactReader, *, everything: bool, text: str = "", page: int = 1) -> Listed:
    """Return one page of the contact's cases, newest change first: those still open, or everything; with `text` those in whose number,
    subject and contact's name all of its words are found. One query."""
    sql, values = [Case.visible_sql(reader, "c")], list[Any]()
    if not everything:
        sql.append(OPEN)
    for condition, value in _words(text):
        values.append(value)
        sql.append(condition.replace("?", f"${len(values)}"))
    page = min(max(page, 1), 10_000)
    offset, skipped = _offset(page, len(values))
    listing = _listing(" and ".join(sql), "c.updated_at desc, c.id desc", offset=offset)
    return _listed(await current().fetch(listing, *values, *skipped), page)


def searched(query: Mapping[str, str]) -> str:
    """The words that an address searches for."""
    return " ".join(query.get("text", "").replace("\x00", "").split())[:LONGEST_TEXT]


async def named_elsewhere(text: str, listed: Listed, reader: AgentReader) -> Case | None:
    """Return the case that a search names by its number alone (`#1393`), where the list does not show it: each view has a part of the cases."""
    number = _number(text)
    if number is None or any(row.number == number for row in listed.rows):
        return None
    return await Case.visible_to(reader).where(Case.number == number).first()


_PUNCTUATION = ".,;:!?()[]\"'„“”‚‘’«»"
"""What stands around a word in a sentence."""


def _number(word: str) -> int | None:
    """Return the number of a case as people quote it (`#1403`, `1403,`); None for any other word."""
    return number_in(word.strip(_PUNCTUATION).removeprefix("#"))


# The word is folded once, and the names of people once for all cases.
_IN_SUBJECT = "strpos(c.subject_folded, (select folded(?))) > 0"
_OF_CONTACT = "c.contact_id in (select id from contact where strpos(folded(name), (select folded(?))) > 0)"
_OF_CUSTOMER = "c.customer_id in (select id from customer where strpos(folded(name), (select folded(?))) > 0)"
_NUMBERED = "(c.number = ?::bigint or strpos(c.subject, (?::bigint)::text) > 0)"


def _words(text: str, *, customers: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield a condition with `?` and its value for each word.

    A number is that of a case or part of its subject; any other word is part of the subject, or of the name of the contact or, with
    `customers`, of the customer.
    """
    for word in text.split()[:MOST_WORDS]:
        if (number := _number(word)) is not None:
            yield _NUMBERED, number
        else:
            places = (_IN_SUBJECT, _OF_CONTACT, _OF_CUSTOMER) if customers else (_IN_SUBJECT, _OF_CONTACT)
            yield f"({' or '.join(places)})", word.strip(_PUNCTUATION) or word


def _offset(page: int, places: int) -> tuple[str, list[int]]:
    """SQL and parameter that skip the pages before; nothing on the first."""
    return (f" offset ${places + 1}", [(page - 1) * PAGE]) if page > 1 else ("", [])


def _listed(rows: list[Any], page: int, known: int | None = None) -> Listed:
    shown = []
    for row in rows:
        values = {name: row[name] for name in Row.__slots__}
        shown.append(Row(**values | {"status": Status(row["status"]), "priority": Priority(row["priority"])}))
    total = known if known is not None else rows[0]["total"] if rows else 0
    return Listed(shown, total, page)


def _chosen(choices: type[Any], value: Any) -> Any:
    try:
        return choices(value) if value is not None else None
    except ValueError:
        return None
