"""Lock a case, change it, and record and announce the change: the steps that all methods of `Case` share."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from portal import outbox
from portal.database import current
from portal.desk import events
from portal.desk.deadlines import keeping
from portal.errors import Conflict, NotFound
from portal.people.readers import Reader, System

if TYPE_CHECKING:
    from portal.desk.cases import Case

HIDDEN = ("case.noted", "case.changed_internally")
"""Kinds of outbox rows about changes that contacts do not see."""
OUR_OWN = ("department",)
"""Kinds of log lines that contacts do not see."""
LogLine = tuple[str, dict[str, object]]
"""A line of a case's log: the kind of the event, and its details."""


def agents_only(by: Reader) -> None:
    """Raise `NotFound` for a contact.

    The route guards refuse contacts first. This check protects the methods whatever code calls them.
    """
    if not by.is_agent:
        raise NotFound


async def lock(case: "Case", by: Reader, *, follows: bool = False) -> None:
    """Lock the row of the case until the transaction ends, and set the attributes of `case` to its column values.

    If the case was merged since it was loaded, raise `Conflict`; with `follows`, make `case` the case into which it was
    merged instead. Raise `NotFound` if `by` may not see the case.
    """
    # A stronger lock would block inserts of log lines, which refer to the case. A change of a time entry locks the entry
    # first and then inserts such a line, so the two could deadlock.
    locking = f"select * from cases where id = $1 and {case.visible_sql(by)} for no key update"  # noqa: S608
    row = await current().fetchrow(locking, case.id)
    if row is None and (target := await current().fetchrow(_MERGED_INTO, case.id)):
        if not follows:
            raise Conflict(part_of(case.number, target["number"]))
        row = await current().fetchrow(locking, target["id"])
    if row is None:
        raise NotFound
    case.take_over(dict(row))


async def lock_all(cases: Sequence["Case"]) -> None:
    """Lock the rows of several cases in the order of their numbers, and update their attributes as `lock` does.

    Raise `Conflict` if one of the cases was merged since it was loaded.
    """
    sql = "select * from cases where id = any($1) order by number for no key update"
    rows = {row["id"]: dict(row) for row in await current().fetch(sql, [case.id for case in cases])}
    for case in cases:
        case.take_over(rows[case.id])
        if case.merged_into_id:
            target = await current().fetchrow(_MERGED_INTO, case.id)
            raise Conflict(part_of(case.number, target["number"]))


def part_of(number: int, target: int) -> str:
    """Return the message that refuses a change of the merged case `number`, which is now part of the case `target`."""
    return f"#{number} is now part of #{target}. Look at that case."


_MERGED_INTO = "select t.id, t.number from cases c join cases t on t.id = c.merged_into_id where c.id = $1"


async def change(
    case: "Case",
    columns: dict[Any, Any],
    lines: Sequence[LogLine],
    by: Reader | System,
    at: datetime,
    *,
    told_as: str = "case.changed",
    record_id: int | None = None,
) -> None:
    """Update the locked row of a case, compute its deadlines, add log lines and write an outbox row (see `finish`).

    `columns` holds the new values; `updated_at` is set to `at`.
    """
    columns = {"updated_at": at} | columns
    table = type(case)
    await table.update(columns).where(table.id == case.id)
    case.take_over(columns)
    await finish(case, lines, by, at, told_as=told_as, record_id=record_id)


async def finish(
    case: "Case",
    lines: Sequence[LogLine],
    by: Reader | System,
    at: datetime,
    *,
    told_as: str,
    record_id: int | None = None,
) -> None:
    """Compute the deadlines of a case, add lines to its log, and write an outbox row, from which notices are made.

    Every method that opens or changes a case, or writes on it, calls this once its rows are written. `told_as` is the
    kind of the outbox row; for a kind in `HIDDEN`, no deadline is computed. `record_id` is the id of the message that
    was written; if it is None, the outbox row has the id of the first log line.
    """
    if told_as not in HIDDEN:  # Only what customers see moves a deadline.
        await keeping.keep(case, at)
    for kind, details in lines:
        line = (case.id, case.customer_id, kind)
        may_know = kind not in OUR_OWN
        event_id = await events.record(*line, by=by, contact_may_know=may_know, at=at, details=details)
        record_id = record_id or event_id
    await outbox.tell(
        kind=told_as, subject_id=case.id, customer_id=case.customer_id, contact_id=case.contact_id,
        contact_may_know=told_as not in HIDDEN, actor=None if isinstance(by, System) else by, at=at, record_id=record_id,
        agent_id=case.agent_id if told_as == "case.assigned" else None,
    )  # fmt: skip
