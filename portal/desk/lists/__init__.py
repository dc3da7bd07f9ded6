"""List cases for agents and for contacts. Each page of a list costs one query."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.database import current
from portal.database.counting import Counting
from portal.desk.cases import Case
from portal.desk.lists.questions import COLUMNS, OPEN, VIEWS, Question, Sort, conditions_of, quoted_number
from portal.desk.workflow import Priority, Status
from portal.people.readers import AgentReader, ContactReader

PAGE = 25
COUNTED = 1000
"""The number up to which a list counts its cases. If there are more, the list says "more than 1,000"."""


@dataclass(frozen=True, slots=True)
class Row:
    """A case as one row of a list shows it."""

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
    """One page of a list of cases.

    `total` is the number of cases on all pages; `COUNTED` + 1 stands for any larger number.
    """

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
        """Return the number of cases on the next page; 0 or less if this is the last page."""
        return min(PAGE, self.total - self.page * PAGE)


# Joined tables, by alias, that sorting by a name needs. "offset 0" makes PostgreSQL call folded() once for each name
# and not once for each case.
_JOINS = {
    "u.": " join (select id, folded(name) as folded from customer offset 0) u on u.id = c.customer_id",
    "a.": " left join (select id, folded(name) as folded from agent offset 0) a on a.id = c.agent_id",
}


def _listing(condition: str, order: str, *, offset: str = "", counted: bool = True) -> str:
    """Return the SQL for one page of the cases that meet `condition`, sorted by the SQL expressions `order`.

    `offset` is the clause that skips earlier pages (see `_offset`). If `counted`, each row has the number of all such
    cases in the column `total`, at most `COUNTED` + 1; otherwise `total` is 0.
    """
    # Look up names and flags for the rows of the page only, so that their cost does not grow with the number of cases.
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
    """Return one page of the cases that `question` asks for, read by one query.

    `counted` maps views to the numbers that the queries of `countings` returned, if the caller has them already. Then
    the cases of a view without filters are not counted again.
    """
    condition, values = question.conditions(reader)
    way = "desc" if question.is_falling else "asc"
    # Only the agent can be null. "nulls last" for the other columns would keep PostgreSQL from using the index.
    missing = " nulls last" if question.sort is Sort.AGENT else ""
    order = f"{COLUMNS[question.sort]} {way}{missing}, c.id {way}"
    known = counted.get(question.view) if counted and not question.is_filtered else None
    offset, skipped = _offset(question.page, len(values))
    sql = _listing(condition, order, offset=offset, counted=known is None)
    return _listed(await current().fetch(sql, *values, *skipped), question.page, known)


def countings(reader: AgentReader) -> dict[str, Counting]:
    """Return the queries for the number of cases in each view that has a count, by the name of the view.

    Counting stops at `COUNTED` + 1, which means "more than `COUNTED`", so that the cost of the queries is limited.
    """
    return {view.value: _counting(rule.condition, reader) for view, rule in VIEWS.items() if rule.has_count}


def _counting(condition: str, reader: AgentReader) -> Counting:
    sql = f"select count(*) from (select from cases c where {condition} limit {COUNTED + 1}) x"  # noqa: S608
    return Counting(sql.replace("?", "$1"), (reader.id,) if "?" in condition else ())


async def customers_list(reader: ContactReader, *, everything: bool, text: str = "", page: int = 1) -> Listed:
    """Return one page of the cases that the contact may see, the latest change first, read by one query.

    Only open cases are listed unless `everything` is True. With `text`, only cases that match every word of the text
    are listed (see `conditions_of`). `page` counts from 1.
    """
    sql, values = [Case.visible_sql(reader, "c")], list[Any]()
    if not everything:
        sql.append(OPEN)
    for condition, value in conditions_of(text):
        values.append(value)
        sql.append(condition.replace("?", f"${len(values)}"))
    page = min(max(page, 1), 10_000)
    offset, skipped = _offset(page, len(values))
    listing = _listing(" and ".join(sql), "c.updated_at desc, c.id desc", offset=offset)
    return _listed(await current().fetch(listing, *values, *skipped), page)


async def named_elsewhere(text: str, listed: Listed, reader: AgentReader) -> Case | None:
    """Return the case whose number is the whole search text (`#1393`) if it is not on the page `listed`, else None.

    Such a case is in another view or on another page, or a filter leaves it out.
    """
    number = quoted_number(text)
    if number is None or any(row.number == number for row in listed.rows):
        return None
    return await Case.visible_to(reader).where(Case.number == number).first()


def _offset(page: int, places: int) -> tuple[str, list[int]]:
    """Return the SQL clause that skips the rows of earlier pages, and its parameter; both are empty for the first page.

    `places` is the number of parameters that the query has already.
    """
    return (f" offset ${places + 1}", [(page - 1) * PAGE]) if page > 1 else ("", [])


def _listed(rows: list[Any], page: int, known: int | None = None) -> Listed:
    shown = []
    for row in rows:
        values = {name: row[name] for name in Row.__slots__}
        shown.append(Row(**values | {"status": Status(row["status"]), "priority": Priority(row["priority"])}))
    total = known if known is not None else rows[0]["total"] if rows else 0
    return Listed(shown, total, page)
