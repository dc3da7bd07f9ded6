"""Keep every version of a time entry: who did what to it, when, and the old and the new values.

Versions are append-only rows and stay when their entry is deleted. Each function that changes an entry writes a version
in the same transaction; `billing.violations` finds an entry that differs from its last version.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from portal.contracts.naming import shown_service
from portal.database import current
from portal.durations import spoken
from portal.people.readers import AgentReader
from portal.render.formats import day_long, moment
from portal.words import EntryBilling

if TYPE_CHECKING:
    from portal.timekeeping.entries import TimeEntry

LABELS = {
    "actual_minutes": "Worked",
    "work_date": "Work date",
    "started_at": "Began",
    "ended_at": "Ended",
    "service_id": "Service",
    "task_id": "Task",
    "general_kind_id": "Kind",
    "role_id": "Billing role",
    "billing": "Charge",
    "billable_minutes": "Counts",
    "override_reason": "Reason",
    "external_comment": "External comment",
    "description": "Internal description",
}
"""Labels, by column, of the fields of a time entry that people can change, in the order of the form."""

FIXED = {"agent_id": "Agent", "case_id": "Case", "project_id": "Project", "customer_id": "Customer"}
"""Labels, by column, of the columns that are recorded only when an entry is deleted or moves to another case."""


class Verb(StrEnum):
    """What can happen to a time entry.

    `taken_back` undoes `submitted`, `withdrawn` undoes `approved`, and `reopened` undoes `rejected`. `released` means
    that a manager decided to charge held time, which prepaid hours do not cover; `held_again` undoes that.
    """

    LOGGED = "logged"
    CHANGED = "changed"
    SUBMITTED = "submitted"
    TAKEN_BACK = "taken_back"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    REOPENED = "reopened"
    FLAGGED = "flagged"
    ANSWERED = "answered"
    LIFTED = "lifted"
    RELEASED = "released"
    HELD_AGAIN = "held_again"
    DELETED = "deleted"


_SENTENCES = {
    Verb.LOGGED: "{by} logged this",
    Verb.CHANGED: "{by} changed this",
    Verb.SUBMITTED: "{by} submitted this",
    Verb.TAKEN_BACK: "{by} took the submission back",
    Verb.APPROVED: "{by} approved this",
    Verb.REJECTED: "{by} rejected this",
    Verb.WITHDRAWN: "{by} took the approval back",
    Verb.REOPENED: "{by} took the rejection back",
    Verb.FLAGGED: "{by} flagged this",
    Verb.ANSWERED: "{by} answered",
    Verb.LIFTED: "{by} lifted the flag",
    Verb.RELEASED: "{by} decided that held time is charged",
    Verb.HELD_AGAIN: "{by} took back that held time is charged",
    Verb.DELETED: "{by} deleted this",
}


@dataclass(frozen=True, slots=True)
class Version:
    """What somebody did to a time entry in one step.

    `columns` maps the name of each changed column to its old and its new value. `note` is the reason for a rejection,
    or the question or the answer of a flag.
    """

    verb: Verb
    by_id: int
    by: str
    at: datetime
    columns: Mapping[str, list[Any]]
    note: str = ""

    @classmethod
    def read(cls, text: str) -> "tuple[Version, ...]":
        """Return the changes of one entry, oldest first, from the JSON that the SQL expression `CHANGES` yields.

        Only the changes by other people than the author of the entry are included.
        """
        return tuple(
            cls(Verb.CHANGED, row["by_id"], row["by"], datetime.fromisoformat(row["at"]), row["columns"])
            for row in json.loads(text)
        )

    @property
    def parts(self) -> list[tuple[str, str, str]]:
        """Return the label, the old value and the new value of each changed column, in words."""
        return [
            (label, _words(column, self.columns[column][0]), _words(column, self.columns[column][1]))
            for column, label in (FIXED | LABELS).items()
            if column in self.columns
        ]

    @property
    def sentence(self) -> str:
        """Return who did what, as a sentence without a full stop."""
        return _SENTENCES[self.verb].format(by=self.by)


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did to one entry: the version and the state of the entry after the step, and the changed columns.

    `state` is None if the entry was deleted. `columns` maps each changed column to its old and its new value.
    """

    entry_id: int
    version: int
    state: str | None
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)


def _words(column: str, value: Any) -> str:
    if value in (None, ""):
        return "none"
    if column in ("actual_minutes", "billable_minutes"):
        return spoken(value)
    if column in ("started_at", "ended_at"):
        return moment(datetime.fromisoformat(value))
    if column == "work_date":
        return day_long(date.fromisoformat(value))
    return EntryBilling(value).word if column == "billing" else f"“{value}”"


CHANGES = """
(select coalesce(json_agg(json_build_object('by_id', h.id, 'by', h.name, 'at', t.at, 'columns', t.columns) order by t.id), '[]')
 from entry_version t join agent h on h.id = t.by_id where t.entry_id = e.id and t.verb = 'changed' and t.by_id <> e.agent_id)
"""
"""SQL expression that returns, as JSON, what people other than the author changed in the time entry `e`; for lists."""


async def of_entry(entry_id: int) -> list[Version]:
    """Return all versions of an entry, even of a deleted one, oldest first."""
    return (await of_entries([entry_id]))[entry_id]


async def of_entries(entry_ids: Sequence[int]) -> dict[int, list[Version]]:
    """Return all versions of each of these entries, the oldest first, by entry id. They are read by one query."""
    rows = await current().fetch(
        "select t.entry_id, t.verb, t.by_id, h.name as by, t.at, t.columns, t.note from entry_version t join agent h on h.id = t.by_id"
        " where t.entry_id = any($1) order by t.id",
        entry_ids,
    )
    found: dict[int, list[Version]] = {entry_id: [] for entry_id in entry_ids}
    for row in rows:
        read = {"verb": Verb(row["verb"]), "columns": json.loads(row["columns"])}
        found[row["entry_id"]].append(
            Version(**{name: value for name, value in row.items() if name != "entry_id"} | read)
        )
    return found


async def keep(verb: Verb, steps: Iterable[Step], by: AgentReader, at: datetime, *, note: str = "") -> int:
    """Write a version for each of `steps` by one statement, and return the lowest id of these versions.

    All of them get the same `verb` and the same `note`, such as the reason for a rejection. Without steps, return 0.
    """
    rows = [(step.entry_id, step.version, step.state, _json(step.columns)) for step in steps]
    ids, versions, states, columns = zip(*rows, strict=True) if rows else ((), (), (), ())
    first: int = await current().fetchval(
        "with kept as (insert into entry_version (entry_id, version, verb, state, by_id, at, columns, note)"
        " select s.id, s.version, $5, s.state, $6, $7, s.columns::jsonb, $8"
        " from unnest($1::bigint[], $2::int[], $3::text[], $4::text[]) with ordinality as s (id, version, state, columns, place)"
        " order by s.place returning id) select coalesce(min(id), 0) from kept",
        ids, versions, states, columns, verb.value, by.id, at, note,
    )  # fmt: skip
    return first


async def keep_content(
    verb: Verb, entry: "TimeEntry", told: Mapping[str, Sequence[Any]], by: AgentReader, at: datetime
) -> int:
    """Write the version of an entry that `by` logged, changed or deleted, and return the id of the version.

    `told` maps each changed column to its old and its new value; columns without a label are left out. For a column
    that holds an id, the present name of what the id refers to is stored instead.
    """
    columns = {name: [_stored(value) for value in pair] for name, pair in told.items() if name in FIXED | LABELS}
    for column in columns.keys() & _NAMES.keys():
        if known := [id for id in columns[column] if id is not None]:
            rows = await current().fetch(_NAMES[column], known)
            names = {row["id"]: row["name"] for row in rows}
            columns[column] = [names.get(id) for id in columns[column]]
    state = None if verb is Verb.DELETED else entry.state
    return await keep(verb, [Step(entry.id, entry.version, state, columns)], by, at)


_NAMES = {
    "service_id": f"select s.id, {shown_service('s.id')} as name from service s where s.id = any($1)",  # noqa: S608
    "task_id": "select id, name from task where id = any($1)",
    "general_kind_id": "select id, name from general_kind where id = any($1)",
    "role_id": "select id, name from role where id = any($1)",
    "agent_id": "select id, name from agent where id = any($1)",
    "case_id": "select id, '#' || number || ' ' || subject as name from cases where id = any($1)",
    "project_id": "select id, name from project where id = any($1)",
    "customer_id": "select id, name from customer where id = any($1)",
}
"""SQL to look up the name for each column that holds an id, so that the record keeps the name of that moment."""


def _json(columns: Mapping[str, Sequence[Any]]) -> str:
    return json.dumps({name: [_stored(value) for value in pair] for name, pair in columns.items()}, ensure_ascii=False)


def _stored(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
