"""Remind customers of cases that wait for their answer, and close cases that stay unanswered (S3.18).

For each status in which a case waits for the customer, an admin sets after how many days the customer is reminded and
after how many the case is closed. Each reminder or closing is recorded on the case in the same transaction, so a worker
that is killed, pauses or runs twice repeats nothing.
"""

from datetime import datetime, timedelta

from portal import outbox
from portal.database import current
from portal.desk import events
from portal.desk.cases import Case
from portal.desk.verbs.changing import change
from portal.desk.verbs.moving import moved
from portal.desk.workflow import Status
from portal.people.readers import SYSTEM

BATCH = 100
"""The maximum number of cases that one transaction handles."""


async def remind(at: datetime, most: int = BATCH) -> int:
    """Remind the customers of at most `most` cases that have waited long enough at `at`, and return their number.

    The reminder announces when the case closes: the customer gets all days between reminder and closing, even if the
    reminder is late. A case that only contacts without a mail address take part in is left out, because nobody would
    get the reminder. Such a case is not closed either. The caller's transaction must run as `SYSTEM`. Cases that
    another transaction is changing are left for the next run.
    """
    rows = await current().fetch(_TO_REMIND, at, most)
    for row in rows:
        closes_at = at + timedelta(days=row["left"]) if row["left"] else None
        details = {"closes": closes_at.isoformat()} if closes_at else {}
        line = (row["id"], row["customer_id"], "reminded")
        event_id = await events.record(*line, by=SYSTEM, contact_may_know=True, at=at, details=details)
        await current().execute(_REMINDED, row["id"], at, closes_at)
        await outbox.tell(
            kind="case.reminded", subject_id=row["id"], customer_id=row["customer_id"], contact_id=row["contact_id"],
            contact_may_know=True, actor=None, at=at, record_id=event_id,
        )  # fmt: skip
    return len(rows)


async def close(at: datetime, most: int = BATCH) -> int:
    """Close at most `most` cases whose announced time of closing is reached at `at`, and return their number.

    A case that was answered no longer waits, so it is not closed. The caller's transaction must run as `SYSTEM`. Cases
    that another transaction is changing are left for the next run.
    """
    rows = await current().fetch(_TO_CLOSE, at, most)
    for row in rows:
        case = Case.of_row(dict(row))
        columns, ((kind, details),) = await moved(case, Status.CLOSED, at)
        await change(case, columns, [(kind, details | {"unanswered": True})], SYSTEM, at, told_as="case.moved")
    return len(rows)


_TO_REMIND = """
select c.id, c.customer_id, c.contact_id, k.close_days - k.remind_days as left
from case_status k join cases c on c.status_id = k.id
where k.remind_days is not null and c.reminded_at is null and c.waits_since <= $1::timestamptz - k.remind_days * interval '24 hours'
  and exists (select from credential i join (
    select c.contact_id union all select w.contact_id from case_watcher w where w.case_id = c.id
    union all select m.contact_id from cases m where m.merged_into_id = c.id) p on p.contact_id = i.contact_id)
order by c.waits_since, c.id limit $2 for no key update of c skip locked
"""
_REMINDED = "update cases set reminded_at = $2, closes_at = $3 where id = $1"
_TO_CLOSE = """
select * from cases where closes_at <= $1 order by closes_at, id limit $2 for no key update skip locked
"""
