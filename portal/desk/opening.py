"""How many cases one contact may open: a script that opens them without end would bury everybody else's (R83)."""

from datetime import datetime, timedelta
from math import ceil

from portal.database import current
from portal.errors import TooMany
from portal.people.readers import ContactReader

MOST, WITHIN = 30, timedelta(hours=1)


async def refuse_too_many(by: ContactReader, at: datetime) -> None:
    """Raise `TooMany` where `by` has opened `MOST` cases in the hour before `at`; cases that agents opened for them do not count.

    The lock makes two forms that arrive at once take turns, so that both cannot be the last one.
    """
    tx = current()
    await tx.execute("select pg_advisory_xact_lock(hashtextextended('opens a case', $1))", by.id)
    # The index is on `updated_at`, which is never before `opened_at`.
    oldest: datetime | None = await tx.fetchval(
        "select opened_at from cases where contact_id = $1 and updated_at > $2 and opened_at > $2 and opened_by_agent_id is null"
        " order by opened_at desc offset $3 limit 1",
        by.id, at - WITHIN, MOST - 1,
    )  # fmt: skip
    if oldest is None:
        return
    seconds = ceil((oldest + WITHIN - at).total_seconds())
    minutes = ceil(seconds / 60)
    raise TooMany(
        f"You have opened {MOST} cases within an hour. What you typed is kept: send it again in"
        f" {minutes} {'minute' if minutes == 1 else 'minutes'}, or add it to a case that is open.",
        retry_after=seconds,
    )
