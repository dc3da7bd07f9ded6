"""Record what happens to a time entry: a line in the case's log, for agents only, and a row for the live updates."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from portal import outbox
from portal.desk import events
from portal.people.readers import AgentReader

if TYPE_CHECKING:
    from portal.timekeeping.entries import TimeEntry

_TOLD_AS = {"time.deleted": "time.changed"}


async def leave(
    entry: "TimeEntry", kind: str, by: AgentReader, at: datetime, changes: Mapping[str, list[object]] | None = None
) -> None:
    """Record that an entry was logged, changed or deleted (`kind`).

    `changes` maps each changed column to its old and new value (D34).
    """
    if entry.case_id is not None and entry.customer_id is not None:
        details = {
            "entry": entry.id,
            "minutes": entry.actual_minutes,
            "work_date": entry.work_date.isoformat(),
            "changes": {name: [str(value) for value in pair] for name, pair in (changes or {}).items()},
        }
        await events.record(
            entry.case_id, entry.customer_id, kind, by=by, contact_may_know=False, at=at, details=details
        )
    await notify(entry, _TOLD_AS.get(kind, kind), by, at)


async def notify(entry: "TimeEntry", kind: str, by: AgentReader, at: datetime) -> None:
    """Tell the live updates that an entry changed, for the page of its case or the lists of time."""
    await outbox.tell(
        kind=kind,
        subject_id=entry.case_id or entry.id,
        customer_id=entry.customer_id,
        contact_may_know=False,
        actor=by,
        at=at,
    )
