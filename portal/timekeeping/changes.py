"""What somebody else changed in an agent's time: kept beside the entry, so that its author reads what was, what is and who did it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from portal.contracts.naming import shown_service
from portal.contracts.tasks import Task
from portal.database import current
from portal.durations import spoken
from portal.people.readers import AgentReader
from portal.render.formats import day_long
from portal.words import EntryBilling

if TYPE_CHECKING:
    from portal.timekeeping.entries import TimeEntry

LABELS = {
    "actual_minutes": "Worked",
    "work_date": "Work date",
    "service_id": "Service",
    "task_id": "Task",
    "billing": "Charge",
    "billable_minutes": "Counts",
    "override_reason": "Reason",
    "external_comment": "External comment",
    "description": "Internal description",
}
"""The columns that somebody can change, as the form calls them, in its order."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change by somebody else. `columns` maps a column to what it was and what it is."""

    by_id: int
    by: str
    at: datetime
    columns: Mapping[str, list[Any]]

    @classmethod
    def read(cls, text: str) -> tuple["Change", ...]:
        """Read the changes of one entry, oldest first, from the JSON that `CHANGES` makes."""
        return tuple(
            cls(row["by_id"], row["by"], datetime.fromisoformat(row["at"]), row["columns"]) for row in json.loads(text)
        )

    @property
    def parts(self) -> list[tuple[str, str, str]]:
        """Label, old and new words of each column that was changed."""
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
    if column == "work_date":
        return day_long(date.fromisoformat(value))
    return EntryBilling(value).word if column == "billing" else f"“{value}”"


CHANGES = """
(select coalesce(json_agg(json_build_object('by_id', h.id, 'by', h.name, 'at', t.changed_at, 'columns', t.columns) order by t.id), '[]')
 from time_change t join agent h on h.id = t.changed_by_id where t.entry_id = e.id)
"""
"""The changes of entry `e` as JSON, for the lists in raw SQL."""

_NAMES = f"select s.id, {shown_service('s.id')} as name from service s where s.id = any($1)"  # noqa: S608


async def keep(entry: "TimeEntry", told: Mapping[str, list[Any]], by: AgentReader, at: datetime) -> None:
    """Keep a change that somebody else than its author made. `told` maps a column to what it was and is."""
    columns = {name: [_stored(value) for value in pair] for name, pair in told.items() if name in LABELS}
    if by.id == entry.agent_id or not columns:
        return
    if "service_id" in columns:
        rows = await current().fetch(_NAMES, [id for id in columns["service_id"] if id is not None])
        names = {row["id"]: row["name"] for row in rows}
        columns["service_id"] = [names.get(id) for id in columns["service_id"]]
    if "task_id" in columns:
        tasks = await Task.select(Task.id, Task.name).where(Task.id.is_in([*columns["task_id"], 0]))
        known = {task["id"]: task["name"] for task in tasks}
        columns["task_id"] = [known.get(id) for id in columns["task_id"]]
    await current().execute(
        "insert into time_change (entry_id, changed_by_id, changed_at, columns) values ($1, $2, $3, $4)",
        entry.id, by.id, at, json.dumps(columns),
    )  # fmt: skip


def _stored(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
