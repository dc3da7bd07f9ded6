"""Read the view, filters and order of an agent's list of cases from the URL, and turn them into SQL conditions.

Column names in the SQL come from enums only, never from the URL (R48).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from portal.desk.cases import Case
from portal.desk.workflow import Priority, Status
from portal.numbers import number_in
from portal.people.contact_search import BY_MAIL, BY_NAME, BY_TELEPHONE, PUNCTUATION, mail_part, telephone_digits
from portal.people.readers import AgentReader
from portal.words import CaseView

LONGEST_TEXT = 200
MOST_WORDS = 6

OPEN = "c.status not in ('resolved', 'closed')"


class Sort(StrEnum):
    """What a list of cases can be sorted by. Choosing the same member again reverses the order."""

    UPDATED = "updated"
    NUMBER = "number"
    SUBJECT = "subject"
    CUSTOMER = "customer"
    STATUS = "status"
    PRIORITY = "priority"
    AGENT = "agent"

    @property
    def word(self) -> str:
        """Return the heading of the column that the member sorts by."""
        return "Case" if self is Sort.NUMBER else self.value.capitalize()


COLUMNS = {
    Sort.UPDATED: "c.updated_at",
    Sort.NUMBER: "c.number",
    Sort.SUBJECT: "c.subject_folded",
    Sort.CUSTOMER: "u.folded",
    Sort.STATUS: "array_position(array['new', 'open', 'waiting_for_customer', 'waiting_for_others', 'resolved', 'closed'], c.status)",
    Sort.PRIORITY: "c.priority",
    Sort.AGENT: "a.folded",
}
"""The SQL expression that each member sorts by."""
_DOWN_FIRST = (Sort.UPDATED, Sort.NUMBER, Sort.PRIORITY)
"""The members whose usual direction is descending."""


@dataclass(frozen=True, slots=True)
class ViewRule:
    """What one view of the list of cases shows.

    `condition` is SQL on the table alias `c`, in which `?` stands for the id of the agent who reads the list. `sort` is
    the order until another one is chosen. `has_count` is True if the navigation shows the number of cases, `has_agents`
    if the cases may be assigned to several agents, so that a filter by agent is offered.
    """

    condition: str
    sort: Sort = Sort.UPDATED
    has_count: bool = True
    has_agents: bool = True


VIEWS = {
    CaseView.MINE: ViewRule(f"{OPEN} and c.agent_id = ?", has_agents=False),
    CaseView.UNASSIGNED: ViewRule(f"{OPEN} and c.agent_id is null", has_agents=False),
    CaseView.WAITING: ViewRule(f"{OPEN} and c.status in ('waiting_for_customer', 'waiting_for_others')"),
    CaseView.ALL: ViewRule(OPEN),
    CaseView.CLOSED: ViewRule("c.status in ('resolved', 'closed')", has_count=False),
}
"""What each view shows; the list, the navigation and the counts all read this table."""


@dataclass(frozen=True, slots=True)
class Question:
    """The view, filters, order and page of an agent's list of cases.

    `turned` reverses the usual direction of the sort. A filter that is None does not limit the list.
    """

    view: CaseView = CaseView.ALL
    text: str = ""
    status: Status | None = None
    priority: Priority | None = None
    customer_id: int | None = None
    agent_id: int | None = None
    sort: Sort = Sort.UPDATED
    turned: bool = False
    page: int = 1
    project_id: int | None = None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Question":
        """Return the view, filters, order and page that a URL's query string asks for.

        Values that are not allowed are ignored.
        """
        view = _chosen(CaseView, query.get("view")) or CaseView.ALL
        return cls(
            view=view,
            text=searched(query),
            status=_chosen(Status, query.get("status")),
            priority=_chosen(Priority, number_in(query.get("priority"))),
            customer_id=number_in(query.get("customer")),
            agent_id=number_in(query.get("agent")),
            project_id=number_in(query.get("project")),
            sort=_chosen(Sort, query.get("sort")) or VIEWS[view].sort,
            turned=query.get("turned") == "yes",
            page=min(max(number_in(query.get("page")) or 1, 1), 10_000),
        )

    @property
    def rule(self) -> ViewRule:
        """Return what the view of this list shows."""
        return VIEWS[self.view]

    @property
    def is_filtered(self) -> bool:
        """Return whether a search or a filter limits the list to a part of its view."""
        return bool(self.text or self.status or self.priority or self.customer_id or self.agent_id or self.project_id)

    def address(self, **changes: Any) -> str:
        """Return the query string of the URL for this list after `changes`, which are new values of fields by name.

        Unless `page` is among the changes, the URL asks for the first page.
        """
        asked = replace(self, page=1, **changes) if "page" not in changes else replace(self, **changes)
        values = {
            "view": asked.view.value,
            "text": asked.text,
            "status": asked.status and asked.status.value,
            "priority": asked.priority and int(asked.priority),
            "customer": asked.customer_id,
            "agent": asked.agent_id,
            "project": asked.project_id,
            "sort": asked.sort.value if asked.sort is not VIEWS[asked.view].sort else "",
            "turned": "yes" if asked.turned else "",
            "page": asked.page if asked.page > 1 else "",
        }
        return "?" + urlencode({name: value for name, value in values.items() if value})

    @property
    def number(self) -> int | None:
        """Return the case number that the search text consists of (`#1393`), or None if it is anything else."""
        return quoted_number(self.text)

    @property
    def among_closed(self) -> str:
        """Return the query string of the URL that applies the same search and filters to resolved and closed cases."""
        return self.address(view=CaseView.CLOSED)

    def sorted_by(self, sort: Sort) -> str:
        """Return the query string that sorts by `sort`, or that reverses the order if the list is sorted by it already."""
        return self.address(sort=sort, turned=not self.turned if sort is self.sort else False)

    @property
    def is_falling(self) -> bool:
        """Return whether the list is sorted in descending order: the largest or newest row comes first."""
        return (self.sort in _DOWN_FIRST) is not self.turned

    def conditions(self, reader: AgentReader) -> tuple[str, list[Any]]:
        """Return the SQL condition on the table alias `c` for this list, and its parameters, which are numbered from `$1`.

        In the view of all open cases, a filter for a status that is done finds resolved or closed cases nevertheless.
        """
        sql, values = [Case.visible_sql(reader, "c")], list[Any]()

        def ask(condition: str, value: Any) -> None:
            values.append(value)
            sql.append(condition.replace("?", f"${len(values)}"))

        if "?" in self.rule.condition:
            ask(self.rule.condition, reader.id)
        elif not (self.view is CaseView.ALL and self.status and self.status.is_done):
            sql.append(self.rule.condition)
        for condition, value in (
            ("c.status = ?", self.status and self.status.value),
            ("c.priority = ?", self.priority and int(self.priority)),
            ("c.customer_id = ?", self.customer_id),
            ("c.agent_id = ?", self.agent_id),
            ("c.project_id = ?", self.project_id),
        ):
            if value is not None:
                ask(condition, value)
        for condition, value in conditions_of(self.text, by_agent=True):
            ask(condition, value)
        return " and ".join(sql), values


def searched(query: Mapping[str, str]) -> str:
    """Return the search text of a URL's query string, with one blank between words, cut to `LONGEST_TEXT` characters."""
    return " ".join(query.get("text", "").replace("\x00", "").split())[:LONGEST_TEXT]


def quoted_number(word: str) -> int | None:
    """Return the case number that a word is, as people quote it (`#1403`, `1403,`), or None for another word."""
    return number_in(word.strip(PUNCTUATION).removeprefix("#"))


# PostgreSQL folds the search word once for the query, and each person's name once and not once for each case.
_IN_SUBJECT = "strpos(c.subject_folded, (select folded(?))) > 0"
_OF_CONTACT = f"c.contact_id in (select id from contact where {BY_NAME})"  # noqa: S608 (the condition is a constant)
_OF_MAIL = f"c.contact_id in (select id from contact where {BY_MAIL})"  # noqa: S608
_OF_PHONE = f"c.contact_id in (select id from contact where {BY_TELEPHONE})"  # noqa: S608
_NUMBERED_TOO = "c.number = (?::text)::bigint or strpos(c.subject, ?) > 0"
_OF_CUSTOMER = "c.customer_id in (select id from customer where strpos(folded(name), (select folded(?))) > 0)"
_NUMBERED = "(c.number = ?::bigint or strpos(c.subject, (?::bigint)::text) > 0)"


def conditions_of(text: str, *, by_agent: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield an SQL condition and its parameter for each of the first `MOST_WORDS` words of the search text.

    Each `?` in a condition stands for its parameter. A number matches the case with that number, or any subject that
    contains it. Any other word matches a part of the subject or of the contact's name. An agent (`by_agent`) also finds
    cases by the customer's name, by the contact's mail address (a word with `@`), and by the contact's telephone number
    if the text is nothing else; such a text yields one condition.
    """
    if by_agent and (digits := telephone_digits(text)):
        places = (_OF_PHONE, _NUMBERED_TOO) if quoted_number(text) is not None else (_OF_PHONE,)
        yield f"({' or '.join(places)})", digits
        return
    for word in text.split()[:MOST_WORDS]:
        bare = word.strip(PUNCTUATION) or word
        if (number := quoted_number(word)) is not None:
            yield _NUMBERED, number
        elif by_agent and (mail := mail_part(bare)):
            yield f"({_IN_SUBJECT} or {_OF_MAIL})", mail
        else:
            of_customer = (_OF_CUSTOMER,) if by_agent else ()
            yield f"({' or '.join((_IN_SUBJECT, _OF_CONTACT, *of_customer))})", bare


def _chosen(choices: type[Any], value: Any) -> Any:
    try:
        return choices(value) if value is not None else None
    except ValueError:
        return None
