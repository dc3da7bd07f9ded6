"""End the snooze of cases when its time has come (S3.18)."""

from datetime import datetime

from portal.database import current
from portal.desk.cases import Case
from portal.desk.verbs.snoozing import store
from portal.people.readers import SYSTEM

BATCH = 100
"""The maximum number of cases in one transaction."""


async def wake(at: datetime, most: int = BATCH) -> int:
    """End at most `most` snoozes whose time is over at `at`, and return their number.

    The cases move to the top of lists. The caller's transaction must run as `SYSTEM`. Cases that another transaction is
    changing are left for the next run.
    """
    rows = await current().fetch(_DUE, at, most)
    for row in rows:
        await store(Case.of_row(dict(row)), None, "woken", {}, SYSTEM, at)
    return len(rows)


_DUE = "select * from cases where snoozed_until <= $1 order by snoozed_until, id limit $2 for no key update skip locked"
