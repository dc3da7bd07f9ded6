"""The filters of a timesheet: days, kind of work and others. They are read from a query string."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlencode

from portal.errors import Forbidden
from portal.numbers import number_in
from portal.people.departments import WORKS_BELOW
from portal.people.readers import AgentReader
from portal.periods import day_in
from portal.timekeeping.entries import VISIBLE
from portal.timekeeping.flags import IS_FLAGGED
from portal.words import EntryBilling, EntryState


class Kind(StrEnum):
    """The kinds of timesheets (S2.26, S2.27).

    `desk` has all time that is not on a project, `project` the time on projects, and `all` both.
    """

    DESK = "desk"
    PROJECT = "project"
    ALL = "all"

    @property
    def word(self) -> str:
        """Return the name of this kind of timesheet, as the page shows it."""
        return {"desk": "Help desk", "project": "Projects", "all": "All time"}[self.value]


class On(StrEnum):
    """The choices of the filter for the kind of thing on which time is logged (S2.40)."""

    CASE = "case"
    PROJECT = "project"
    SERVICE = "service"
    GENERAL = "general"

    @property
    def word(self) -> str:
        """Return the text of the choice in the filter."""
        return {"case": "Cases", "project": "Projects", "service": "Services", "general": "General time"}[self.value]


class Layout(StrEnum):
    """The layouts of an exported timesheet: for payroll and for invoicing (S2.36, S2.37)."""

    PAYROLL = "payroll"
    INVOICING = "invoicing"


_KIND_SQL = {Kind.DESK: "e.project_id is null", Kind.PROJECT: "e.project_id is not null", Kind.ALL: "true"}
_ON_SQL = {
    On.CASE: "e.case_id is not null",
    On.PROJECT: "e.project_id is not null",
    On.SERVICE: "e.customer_id is not null and e.case_id is null and e.project_id is null",
    On.GENERAL: "e.customer_id is null",
}
_IDS_SQL = {
    "agent": "e.agent_id = {}",
    "department": WORKS_BELOW,
    "customer": "e.customer_id = {}",
    "contract": "e.service_id in (select s.id from service s where s.contract_id = {})",
    "service": "e.service_id = {}",
    "project": "e.project_id = {}",
    "task": "e.task_id = {}",
}
IDS = tuple(_IDS_SQL)
"""The names of the filters whose value is an id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The filters of a timesheet: the days from `since` to `until`, both included, and further filters of its entries.

    A filter that is None excludes no entry. A department includes the departments below it. If `flagged`, only entries
    with an open flag are shown.
    """

    since: date
    until: date
    kind: Kind = Kind.DESK
    on: On | None = None
    agent: int | None = None
    department: int | None = None
    customer: int | None = None
    contract: int | None = None
    service: int | None = None
    project: int | None = None
    task: int | None = None
    billing: EntryBilling | None = None
    state: EntryState | None = None
    flagged: bool = False

    @classmethod
    def read(cls, query: Mapping[str, str], today: date) -> "Question":
        """Return the question from a query string.

        Without `from`, the first day is the first of the month of `today`; without `until`, the last day is `today`. A
        value that cannot be read counts as missing. If the two days are in the wrong order, they are swapped.
        """
        days = sorted((day_in(query.get("from")) or today.replace(day=1), day_in(query.get("until")) or today))
        return cls(
            since=days[0],
            until=days[1],
            kind=Kind(query["kind"]) if query.get("kind") in list(Kind) else Kind.DESK,
            on=On(query["on"]) if query.get("on") in list(On) else None,
            billing=EntryBilling(query["billing"]) if query.get("billing") in list(EntryBilling) else None,
            state=EntryState(query["state"]) if query.get("state") in list(EntryState) else None,
            flagged=query.get("flag") == "open",
            **{name: number_in(query.get(name)) for name in IDS},
        )

    @classmethod
    def parse(cls, text: str) -> "Question":
        """Return the question from the text that `query` returned."""
        return cls.read(dict(parse_qsl(text)), date.min)

    def with_ids(self, **found: int | None) -> "Question":
        """Return a copy of the question with the filters in `found`: ids chosen in search fields, by filter name."""
        return replace(self, **found)  # type: ignore[arg-type]

    @property
    def values(self) -> dict[str, str]:
        """Return the query parameters that describe this question, in a fixed order, without unset filters."""
        found = {"kind": self.kind.value, "from": self.since.isoformat(), "until": self.until.isoformat()}
        found |= {name: str(value) for name in IDS if (value := getattr(self, name)) is not None}
        found |= {name: value.value for name in ("on", "billing", "state") if (value := getattr(self, name))}
        return found | ({"flag": "open"} if self.flagged else {})

    @property
    def query(self) -> str:
        """Return the query string that describes this question, without a question mark."""
        return urlencode(self.values)

    @property
    def is_narrowed(self) -> bool:
        """Return whether a filter besides kind and days is set."""
        return any(getattr(self, one.name) for one in fields(self) if one.name not in ("since", "until", "kind"))

    def conditions(self, reader: AgentReader, values: list[Any]) -> str:
        """Return the SQL condition for the time entries `e` that match this question and that `reader` may see.

        Append its parameters to `values`. Raise `Forbidden` if the reader is not a manager (S2.28).
        """
        if not reader.is_manager:
            raise Forbidden("Only managers see timesheets.")
        return " and ".join([VISIBLE[reader.database_role], *self._parts(values)])

    def _parts(self, values: list[Any]) -> Iterator[str]:
        def place(value: Any) -> str:
            values.append(value)
            return f"${len(values)}"

        # The range is half-open: its end is the day after `until`, which would not exist after `date.max`.
        last = min(self.until, date.max - timedelta(days=1)) + timedelta(days=1)
        yield f"e.work_date >= {place(self.since)}::date and e.work_date < {place(last)}::date"
        yield _KIND_SQL[self.kind]
        if self.on:
            yield _ON_SQL[self.on]
        for name, sql in _IDS_SQL.items():
            if (value := getattr(self, name)) is not None:
                yield sql.format(place(value))
        if self.billing:
            yield f"e.billing = {place(self.billing.value)}"
        if self.state:
            yield f"e.state = {place(self.state.value)}"
        if self.flagged:
            yield IS_FLAGGED
