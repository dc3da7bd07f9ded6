"""Choose the time entries of a list: those of a case, a project, an agent and so on, limited by further conditions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, Self, TypeVar, get_args
from urllib.parse import urlencode

from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.periods import day_in
from portal.words import EntryBilling, EntryState

Scope = Literal["case", "agent", "service", "project", "task", "appointment", "left"]
LEFT = "a.ended_at is not null and e.state in ('draft', 'rejected') and e.agent_id <> $1"
SCOPES: dict[Scope, str] = {
    "case": "e.case_id = $1",
    "agent": "e.agent_id = $1",
    "service": "e.service_id = $1",
    "project": "e.project_id = $1",
    "task": "e.task_id = $1",
    "appointment": "e.appointment_id = $1",
    "left": LEFT,
}
"""SQL conditions on the entry `e` and its agent `a`, by scope; $1 is the id of the case, agent, service and so on."""

WORDS = "($2::text is null or e.state = $2) and ($3::bigint is null or e.agent_id = $3) and ($4::text is null or e.billing = $4)"
"""SQL conditions for state, agent and billing. `e` is a time entry, or a row of `time_sum` with the sums of entries."""
DAYS = "($5::date is null or e.work_date >= $5) and ($6::date is null or e.work_date <= $6)"

CONDITIONS = {scope: f"{condition} and {WORDS} and {DAYS}" for scope, condition in SCOPES.items()}
"""SQL conditions on the entry `e` and its agent `a` for the entries that a filter chooses, by scope."""

READY = "(e.state = 'draft' or (e.state = 'rejected' and e.rejected_version is distinct from e.version))"
"""SQL condition for the entries that "submit all" includes: drafts, and entries changed since their rejection."""

Word = TypeVar("Word", EntryState, EntryBilling)


@dataclass(frozen=True, slots=True)
class Filter:
    """The filters and the paging cursor of a list of time entries.

    `scope` is the type of the thing with the id `id`: a `case`, `agent`, `service`, `project`, `task` or `appointment`.
    With the scope `left`, the list shows the draft and rejected entries of agents who have left, and `id` is the agent
    who reads the list. The other values limit the list further; None sets no limit. `since` and `until` are the first
    and the last day, both included. `after` is the keyset cursor: the key of the last row on the previous page (D56).
    """

    scope: Scope
    id: int
    state: EntryState | None = None
    agent_id: int | None = None
    billing: EntryBilling | None = None
    since: date | None = None
    until: date | None = None
    after: tuple[date, int] | None = None

    @classmethod
    def asked(cls, scope: Scope, id: int, query: Mapping[str, str]) -> Self:
        """Return the filter from the query string of a list. Values that cannot be read set no limit."""
        return cls(
            scope, id, state=_word(EntryState, query.get("state")), agent_id=number_in(query.get("agent")),
            billing=_word(EntryBilling, query.get("billing")), since=day_in(query.get("from")), until=day_in(query.get("until")),
            after=key(query.get("after", "")),
        )  # fmt: skip

    @classmethod
    def of_row(cls, query: Mapping[str, str], reader: AgentReader) -> Self:
        """Return the filter of the list in which a row is shown, from the query string of the row's URL (`in_row`).

        If the query string names no list, return the filter of the reader's own entries.
        """
        scope = query.get("of")
        known: dict[str, Scope] = {name: name for name in get_args(Scope)}
        return cls.asked(known.get(scope or "", "agent"), number_in(query.get("id")) or reader.id, query)

    @property
    def values(self) -> list[Any]:
        """Return the parameters $1 to $6 of `CONDITIONS`."""
        state, billing = self.state and self.state.value, self.billing and self.billing.value
        return [self.id, state, self.agent_id, billing, self.since, self.until]

    @property
    def asked_for(self) -> dict[str, str]:
        """Return the parameters of a list's query string that describe this filter, without the cursor."""
        given = {
            "state": self.state,
            "agent": self.agent_id,
            "billing": self.billing,
            "from": self.since,
            "until": self.until,
        }
        return {name: str(value) for name, value in given.items() if value is not None}

    @property
    def is_limited(self) -> bool:
        """Return whether conditions besides the scope narrow the list. The cursor does not count."""
        return bool(self.asked_for)

    @property
    def has_kept_sums(self) -> bool:
        """Return whether the database keeps the sums of the entries that this filter chooses.

        The database keeps no sums by day, and no sums for the scope `left`.
        """
        return self.scope != "left" and self.since is None and self.until is None

    @property
    def query(self) -> str:
        """Return the query string of the list, with its question mark, or "" if the scope is the only condition."""
        return f"?{urlencode(self.asked_for)}" if self.asked_for else ""

    @property
    def in_row(self) -> str:
        """Return the query string of the URL of a row. It says in which list the row is shown (`of_row`)."""
        return "?" + urlencode({"of": self.scope, "id": self.id} | self.asked_for)

    def leading(self, **changed: object) -> str:
        """Return the query string of this filter with the parameters `changed` replaced or added, for a link.

        A parameter that is None is left out.
        """
        kept = {name: str(value) for name, value in (self.asked_for | changed).items() if value is not None}
        return f"?{urlencode(kept)}" if kept else ""


def key(text: str) -> tuple[date, int] | None:
    """Return the work date and entry id from a keyset cursor (`Page.last`), or None if `text` is not a cursor."""
    day, _, typed = text.partition(".")
    found, entry_id = day_in(day), number_in(typed)
    return (found, entry_id) if found is not None and entry_id is not None else None


@dataclass(frozen=True, slots=True)
class GroupCursor:
    """The keyset cursor of a list of entries in groups: the group, and the work date and id of the last entry shown."""

    group_id: int
    work_date: date
    entry_id: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the cursor for which `str` returns `text`, or None if there is no such cursor."""
        group, _, rest = text.partition(".")
        group_id, place = number_in(group), key(rest)
        return cls(group_id, *place) if group_id is not None and place else None

    def __str__(self) -> str:
        return f"{self.group_id}.{self.work_date.isoformat()}.{self.entry_id}"


def _word(words: type[Word], text: str | None) -> Word | None:
    return words(text) if text and text in list(words) else None
