"""Warn of deadlines that come near or have passed: in the log of the case, and in the outbox for notices."""

from datetime import datetime, timedelta

from portal import outbox
from portal.database import current
from portal.desk import events
from portal.desk.deadlines.keeping import calendar_now
from portal.people.readers import SYSTEM

BATCH = 200
"""The maximum number of deadlines that one transaction handles."""
GRACE = timedelta(minutes=10)
"""For how long after the end of business hours warnings are still sent, because many deadlines end at that time."""


async def warn(at: datetime, most: int = BATCH) -> int:
    """Warn of at most `most` deadlines whose `warn_at` is reached at `at`, and return their number.

    The caller's transaction must run as `SYSTEM`. No warning is sent outside business hours (D49), except within
    `GRACE` after they end. There is one warning when a deadline comes near and one when it has passed. A deadline that
    passed before its first warning gets only the second. Deadlines of cases that another transaction is changing are
    left for the next run.
    """
    calendar = await calendar_now()
    if calendar.position(at + at.resolution) == calendar.position(at - GRACE):
        return 0
    rows = await current().fetch(_DUE, at, most)
    for row in rows:
        what = "overdue" if row["due_at"] <= at else "ending"
        event_id = await events.record(
            row["case_id"], row["customer_id"], f"deadline.{what}", by=SYSTEM, contact_may_know=False, at=at,
            details={"duty": row["duty"], "due": row["due_at"].isoformat()},
        )  # fmt: skip
        await outbox.tell(
            kind=f"case.{what}", subject_id=row["case_id"], customer_id=row["customer_id"], contact_id=row["contact_id"],
            contact_may_know=False, actor=None, at=at, record_id=event_id,
        )  # fmt: skip
    await current().execute(_WARNED, [row["case_id"] for row in rows], [row["duty"] for row in rows], at)
    return len(rows)


_DUE = """
select d.case_id, d.customer_id, d.duty, d.due_at, c.contact_id from deadline d join cases c on c.id = d.case_id
where d.warn_at <= $1 order by d.warn_at, d.case_id limit $2 for no key update of c, d skip locked
"""
_WARNED = """
update deadline d set soon_told = due_at, late_told = case when due_at <= $3 then due_at else late_told end,
  warn_at = case when due_at > $3 then due_at end
from unnest($1::bigint[], $2::text[]) as told (case_id, duty) where d.case_id = told.case_id and d.duty = told.duty
"""
