"""Record what a manager changed in an agent's time entry, so that the agent can read the old and the new values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
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
"""The labels of those columns of a time entry that a manager can change, in the order of the form."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a time entry by somebody other than the agent who worked.

    `columns` maps the name of each changed column to its old and its new value.
    """

    by_id: int
    by: str
    at: datetime
    columns: Mapping[str, list[Any]]

    @classmethod
    def read(cls, text: str) -> tuple["Change", ...]:
        """Return the changes of one entry, oldest first, from the JSON text that the SQL `CHANGES` returns."""
        return tuple(
            cls(row["by_id"], row["by"], datetime.fromisoformat(row["at"]), row["columns"]) for row in json.loads(text)
        )

    @property
    def parts(self) -> list[tuple[str, str, str]]:
        """Return label, old value and new value of each changed column, as people read them."""
        return [
            (label, _words(column, self.columns[column][0]), _words(column, self.columns[column][1]))
            for column, label in LABELS.items()
            if column in self.columns
        ]


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
(select coalesce(json_agg(json_build_object('by_id', h.id, 'by', h.name, 'at', t.changed_at, 'columns', t.columns) order by t.id), '[]')
 from time_change t join agent h on h.id = t.changed_by_id where t.entry_id = e.id)
"""
"""SQL expression for the changes of the time entry with the table alias `e`, as JSON. The raw SQL of lists contains it.
"""

_NAMES = {
    "service_id": f"select s.id, {shown_service('s.id')} as name from service s where s.id = any($1)",  # noqa: S608
    "task_id": "select id, name from task where id = any($1)",
    "general_kind_id": "select id, name from general_kind where id = any($1)",
    "role_id": "select id, name from role where id = any($1)",
}
"""For each column that holds an id: SQL for its name, because the record keeps the name of that moment."""


async def keep(entry: "TimeEntry", told: Mapping[str, list[Any]], by: AgentReader, at: datetime) -> None:
    """Record that `by` changed the entry. Do nothing if `by` is the agent who worked.

    `told` maps each changed column to its old and its new value.
    """
    columns = {name: [_stored(value) for value in pair] for name, pair in told.items() if name in LABELS}
    if by.id == entry.agent_id or not columns:
        return
    for column in columns.keys() & _NAMES.keys():
        rows = await current().fetch(_NAMES[column], [id for id in columns[column] if id is not None])
        names = {row["id"]: row["name"] for row in rows}
        columns[column] = [names.get(id) for id in columns[column]]
    await current().execute(
        "insert into time_change (entry_id, changed_by_id, changed_at, columns) values ($1, $2, $3, $4)",
        entry.id, by.id, at, json.dumps(columns),
    )  # fmt: skip


def _stored(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
