"""Record changes of time entries: in the log of the case, which only agents see, and in the outbox, for open pages."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from portal import outbox
from portal.desk import events
from portal.people.readers import AgentReader

if TYPE_CHECKING:
    from portal.timekeeping.entries import TimeEntry


async def leave(
    entry: "TimeEntry",
    kind: str,
    by: AgentReader,
    at: datetime,
    changes: Mapping[str, list[object]] | None = None,
    *,
    version_id: int,
) -> None:
    """Record in the log of the entry's case, if it has one, and in the outbox what `by` did to the entry.

    `kind` is `time.logged`, `time.changed` or `time.deleted`. `changes` maps each changed column to its old and its new
    value (D34). `version_id` is the id of the stored version (`versions.keep_content`). If `by` is not the entry's
    author, a notice to the author is made from that version.
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
    subject = (entry.case_id or entry.id, entry.customer_id)
    await outbox.tell_of([subject], kind=kind, actor=by, at=at, record_id=version_id, agent_id=entry.agent_id)


async def notify_all(
    rows: Iterable[Any], kind: str, by: AgentReader, at: datetime, *, record_id: int | None = None
) -> None:
    """Write outbox rows for several entries by one statement: one row for each case, and for each entry without a case.

    `rows` have the columns `id`, `case_id` and `customer_id` of the entries. If entries were rejected or flagged,
    `record_id` is the id of one of these rejections or flags, and the authors of all the entries are notified. If a
    flag was answered, `record_id` is the id of the flag, and the manager who flagged the entry is notified.
    """
    subjects = {(row["case_id"] or row["id"], row["customer_id"]) for row in rows}
    await outbox.tell_of(sorted(subjects, key=str), kind=kind, actor=by, at=at, record_id=record_id)
