"""Bring snoozed cases back when their time has come (S3.18)."""

from datetime import datetime

from portal.database import current
from portal.desk.cases import Case
from portal.desk.verbs.snoozing import store
from portal.people.readers import SYSTEM

BATCH = 100
"""The maximum number of cases that one transaction brings back."""


async def wake(at: datetime, most: int = BATCH) -> int:
    """Bring back at most `most` cases whose time has come at `at`, on top of the lists, and return how many.

    Run as `SYSTEM`, in the caller's transaction. Cases that another transaction is changing are left for the next run.
    """
    rows = await current().fetch(_DUE, at, most)
    for row in rows:
        await store(Case.of_row(dict(row)), None, "woken", {}, SYSTEM, at)
    return len(rows)


_DUE = "select * from cases where snoozed_until <= $1 order by snoozed_until, id limit $2 for no key update skip locked"
