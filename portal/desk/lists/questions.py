"""Read the view, filters and order of an agent's list of cases from the URL, and turn them into SQL conditions.

Column names in the SQL come from enums only, never from the URL (R48).
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

from portal.database.counting import Counting
from portal.desk.cases import Case, numbered
from portal.desk.lists import custom_fields
from portal.desk.lists.custom_fields import Wanted
from portal.desk.lists.paging import Cursor
from portal.desk.lists.views import ORDERS, VIEWS, Due, Order, Sort, ViewRule, filled_in
from portal.desk.workflow import Priority, Status
from portal.fields import one_line
from portal.numbers import number_in
from portal.people.contact_search import BY_MAIL, BY_NAME, BY_TELEPHONE, PUNCTUATION, mail_part, telephone_digits
from portal.people.readers import AgentReader
from portal.words import CaseView

LONGEST_TEXT = 200
MOST_WORDS = 6
MOST_VALUES = 50
"""The maximum number of values of one filter in a URL; the others are ignored."""
COUNTED = 1000
"""The number up to which a list counts its cases. For more cases it shows "more than 1,000"."""
NOBODY = 0
"""The value of the filter by agent that means cases without an agent."""

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Question:
    """The view, filters, order and page of an agent's list of cases.

    A filter without values does not limit the list. For a filter with several values, a case must have one of them.
    `statuses` has ids of configured statuses, and categories; a category stands for all its statuses. Agents (`NOBODY`
    for none), customers, departments, types and tags are ids. `text` is the search text. `turned` reverses the usual
    direction of `sort`. `at` is the present instant, with which deadlines are compared. `page` is the number of the
    page, `after` the cursor of the row after which the page begins, `before` the cursor of the row before which the
    page ends. `own` is the id of the saved view on which the list is based; the list may have other filters by now.
    `custom_fields` are the filters by custom fields.
    """

    view: CaseView = CaseView.ALL
    text: str = ""
    statuses: tuple[Status | int, ...] = ()
    priorities: tuple[Priority, ...] = ()
    customers: tuple[int, ...] = ()
    agents: tuple[int, ...] = ()
    departments: tuple[int, ...] = ()
    types: tuple[int, ...] = ()
    sort: Sort = Sort.UPDATED
    turned: bool = False
    page: int = 1
    project_id: int | None = None
    due: Due | None = None
    at: datetime | None = None
    after: str = ""
    before: str = ""
    own: int | None = None
    tags: tuple[int, ...] = ()
    custom_fields: tuple[Wanted, ...] = ()

    @classmethod
    def read(cls, query: Iterable[tuple[str, str]]) -> Self:
        """Return the view, filters, order and page in a URL's query string, given as pairs of name and value.

        Values that are not allowed are ignored.
        """
        many: dict[str, list[str]] = {}
        for name, value in query:
            many.setdefault(name, []).append(value)
        one = {name: values[0] for name, values in many.items()}
        view = _chosen(CaseView, one.get("view")) or CaseView.ALL
        sort = _chosen(Sort, one.get("sort")) or VIEWS[view].sort
        return cls(
            view=view,
            text=searched(one),
            statuses=_several(many, "status", _status),
            priorities=_several(many, "priority", lambda text: _chosen(Priority, number_in(text))),
            customers=_several(many, "customer", number_in),
            agents=_several(many, "agent", number_in),
            departments=_several(many, "department", number_in),
            types=_several(many, "type", number_in),
            tags=_several(many, "tag", number_in),
            project_id=number_in(one.get("project")),
            due=_chosen(Due, one.get("due")),
            sort=VIEWS[view].sort if sort is Sort.TURN else sort,
            turned=one.get("turned") == "yes",
            page=min(max(number_in(one.get("page")) or 1, 1), 10_000),
            after=one.get("behind", "")[:LONGEST_CURSOR],
            before=one.get("ahead", "")[:LONGEST_CURSOR],
            own=number_in(one.get("own")),
            custom_fields=custom_fields.wanted_of(many),
        )

    def asked_at(self, at: datetime) -> Self:
        """Return this question with `at` as the present instant."""
        return replace(self, at=at)

    @property
    def rule(self) -> ViewRule:
        """Return the rule of the view of this list, which says what the view shows."""
        return VIEWS[self.view]

    @property
    def chosen(self) -> dict[str, tuple[int | str, ...]]:
        """Return the values of each filter that can have several, by its name in the URL."""
        return {
            "status": tuple(one.value if isinstance(one, Status) else one for one in self.statuses),
            "priority": tuple(int(priority) for priority in self.priorities),
            "customer": self.customers,
            "agent": self.agents,
            "department": self.departments,
            "type": self.types,
            "tag": self.tags,
        }

    @property
    def is_filtered(self) -> bool:
        """Return whether a search or a filter limits the list to a part of its view."""
        return bool(self.text or self.project_id or self.due or self.custom_fields or any(self.chosen.values()))

    def address(self, **changes: Any) -> str:
        """Return the query string of the URL for this list with `changes`, which are new values of attributes, by name.

        Unless `page` is among the changes, the URL leads to the first page.
        """
        start = {} if "page" in changes else {"page": 1}
        # A cursor belongs to one page, so the URL of another page has none.
        cursor = {"after": "", "before": ""} if changes.get("page", 1) != self.page else {}
        asked = replace(self, **start | cursor | changes)
        values = {
            "view": asked.view.value,
            "text": asked.text,
            **asked.chosen,
            **{name: [text for one, text in asked.custom_fields if one == name] for name, _ in asked.custom_fields},
            "project": asked.project_id,
            "due": asked.due and asked.due.value,
            "sort": asked.sort.value if asked.sort is not VIEWS[asked.view].sort else "",
            "turned": "yes" if asked.turned else "",
            "page": asked.page if asked.page > 1 else "",
            "behind": asked.after if asked.page > 1 else "",
            "ahead": asked.before if asked.page > 1 else "",
            "own": asked.own,
        }
        return "?" + urlencode({name: value for name, value in values.items() if value}, doseq=True)

    def without(self, filter_name: str, value: int | str | None = None) -> str:
        """Return the query string of the URL for this list without one value of a filter.

        `filter_name` is the name of the filter in the URL: a key of `chosen`, the parameter of a custom field, or
        `text`, `project` or `due`. `value` is an id or a text, as the filter holds it. The filters `text`, `project`
        and `due` have only one value, so it can be left out.
        """
        if (filter_name, value) in self.custom_fields:
            return self.address(custom_fields=tuple(one for one in self.custom_fields if one != (filter_name, value)))
        if filter_name in _SINGLE:
            return self.address(**_SINGLE[filter_name])
        field = _FIELDS[filter_name]
        return self.address(**{field: tuple(one for one in getattr(self, field) if one != value)})

    @property
    def number(self) -> int | None:
        """Return the case number that is the whole search text (`#1393`); None for any other text."""
        return quoted_number(self.text)

    @property
    def among_closed(self) -> str:
        """Return the query string of the URL for the resolved and closed cases with the same search and filters."""
        return self.address(view=CaseView.CLOSED)

    def sorted_by(self, sort: Sort) -> str:
        """Return the query string for this list sorted by `sort`; if it is sorted by that already, in reversed order."""
        return self.address(sort=sort, turned=not self.turned if sort is self.sort else False)

    @property
    def is_falling(self) -> bool:
        """Return whether the list is sorted in descending order, largest or newest row first."""
        return ORDERS[self.sort].is_falling is not self.turned

    @property
    def order(self) -> Order:
        """Return the order of the list.

        In a view whose cases all have the same agent, or none, sorting by agent is replaced by sorting by number.
        """
        same_agent = self.sort is Sort.AGENT and not self.rule.has_agents
        return ORDERS[Sort.NUMBER if same_agent else self.sort]

    @property
    def cursor(self) -> Cursor | None:
        """Return the cursor of the row after which the page begins, or before which it ends.

        Return None for the first page, and for a URL without a cursor of this order.
        """
        if self.page == 1:
            return None
        back = Cursor.parse(self.before, self.order, is_back=True) if self.before else None
        return back or Cursor.parse(self.after, self.order)

    @property
    def _may_be_done(self) -> bool:
        """Return whether resolved and closed cases may be in the list.

        They are in the view of resolved and closed cases. They may also be in the view of all open cases, if the filter
        by status has such a category, or the id of a status, because that status may belong to such a category.
        """
        is_asked = self.view is CaseView.ALL and any(isinstance(one, int) or one.is_done for one in self.statuses)
        return self.view is CaseView.CLOSED or is_asked

    def conditions(self, reader: AgentReader, *, is_long: bool = False) -> tuple[str, list[Any]]:
        """Return the SQL condition on the table alias `c` for this list, and its parameters, numbered from `$1`.

        If `is_long`, return an equivalent condition that lets PostgreSQL read one page quickly, if the view has one.
        Set it for lists of more than `COUNTED` cases.
        """
        sql, values = list[str](), list[Any]()

        def ask(condition: str, value: Any) -> None:
            values.append(value)
            sql.append(condition.replace("?", f"${len(values)}"))

        if not self._may_be_done or self.view is CaseView.CLOSED:
            is_usual = self.sort is self.rule.sort and not self.turned
            rule = self.rule.long if is_long and is_usual and not self.is_filtered else ""
            sql.append(filled_in(rule or self.rule.condition, reader.id, self.at, values))
        if self._may_be_done:
            # Merged cases are done. Lists of open cases do without this condition, so that an index alone may answer.
            sql.append(Case.visible_sql(reader, "c"))
        if self.due:
            sql.append(filled_in(self.due.condition, reader.id, self.at, values))
        if self.project_id is not None:
            ask("c.project_id = ?", self.project_id)
        for name, chosen in self.chosen.items():
            column = _COLUMNS[name]
            if name == "agent" and NOBODY in chosen:
                ask("(c.agent_id is null or c.agent_id = any(?))", list(chosen))
            elif name == "tag" and chosen:
                ask("c.id in (select g.case_id from case_tag g where g.tag_id = any(?))", list(chosen))
            elif name == "status" and any(isinstance(one, int) for one in chosen):
                ask(_OF_STATUSES, [str(one) for one in chosen])
            elif len(chosen) == 1:
                ask(f"{column} = ?", chosen[0])
            elif chosen:
                ask(f"{column} = any(?)", list(chosen))
        for condition, several in custom_fields.conditions_of(self.custom_fields):
            parts = condition.split("?")
            sql.append(parts[0] + "".join(f"${len(values) + place}{part}" for place, part in enumerate(parts[1:], 1)))
            values += several
        for condition, value in conditions_of(self.text, by_agent=True):
            ask(condition, value)
        return " and ".join(sql), values

    def counting(self, reader: AgentReader) -> Counting:
        """Return the query for the number of cases in this list, at most `COUNTED` + 1."""
        condition, values = self.conditions(reader)
        sql = f"select count(*) from (select from cases c where {condition} limit {COUNTED + 1}) x"  # noqa: S608
        return Counting(sql, tuple(values))


LONGEST_CURSOR = 500

_SINGLE: dict[str, dict[str, Any]] = {"text": {"text": ""}, "project": {"project_id": None}, "due": {"due": None}}
"""For each filter with a single value, the field of `Question` and the value of the field that removes the filter."""
_FIELDS = {
    "status": "statuses", "priority": "priorities", "customer": "customers", "agent": "agents", "department": "departments",
    "type": "types", "tag": "tags",
}  # fmt: skip
_COLUMNS = {
    "status": "c.status", "priority": "c.priority", "customer": "c.customer_id", "agent": "c.agent_id",
    "department": "c.department_id", "type": "c.case_type_id",
    "tag": "",
}  # fmt: skip

_OF_STATUSES = (
    "c.status_id = any(array(select k.id from case_status k where k.id::text = any(?) or k.category = any(?)))"
)


def _status(text: str) -> Status | int | None:
    """Return the category or the id of a status in a URL; None for any other text."""
    category: Status | None = _chosen(Status, text)
    return category or number_in(text)


def _several(query: Mapping[str, list[str]], name: str, read: Callable[[str], Read | None]) -> tuple[Read, ...]:
    """Return the values of a filter that `read` can read, each once, at most `MOST_VALUES`, in the order of the URL."""
    found = (read(text) for text in query.get(name, [])[:MOST_VALUES])
    return tuple(dict.fromkeys(value for value in found if value is not None))


def searched(query: Mapping[str, str]) -> str:
    """Return the search text of a URL's query string, with one blank between words, cut to `LONGEST_TEXT` characters."""
    return one_line(query.get("text", ""))[:LONGEST_TEXT]


def quoted_number(word: str) -> int | None:
    """Return the case number in a word, as people quote it (`#1403`, `1403,`); None for any other word."""
    return number_in(unicodedata.normalize("NFKC", word).strip(PUNCTUATION).removeprefix("#"))


# PostgreSQL folds the search word once for the query, and each person's name once and not once for each case.
_IN_SUBJECT = "strpos(c.subject_folded, (select folded(?))) > 0"
_OF_CONTACT = f"c.contact_id in (select id from contact where {BY_NAME})"  # noqa: S608 (the condition is a constant)
_OF_MAIL = f"c.contact_id in (select id from contact where {BY_MAIL})"  # noqa: S608
_OF_PHONE = f"c.contact_id in (select id from contact where {BY_TELEPHONE})"  # noqa: S608
_NUMBERED_TOO = f"c.id = {numbered('(?::text)::bigint')} or strpos(c.subject, ?) > 0"
_OF_CUSTOMER = "c.customer_id in (select id from customer where strpos(folded(name), (select folded(?))) > 0)"
_NUMBERED = f"(c.id = {numbered('?::bigint')} or strpos(c.subject, (?::bigint)::text) > 0)"


def conditions_of(text: str, *, by_agent: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield an SQL condition and its parameter for each of the first `MOST_WORDS` words of the search text.

    Each `?` in a condition stands for its parameter. A number matches the case with that number, or the case into which
    it was merged, and any subject that contains it. Any other word matches a part of the subject or of the contact's
    name and, for an agent (`by_agent`), also of the customer's name. If an agent types a word with an `@`, it matches a
    part of the subject or of the contact's mail address. If the text of an agent can be a telephone number, there is
    only one condition, which matches the contact's telephone number. If this text can also be a case number, the
    condition matches what a number matches too.
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
