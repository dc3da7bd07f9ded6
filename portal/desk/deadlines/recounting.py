"""Compute the deadlines of all open cases again, in a job, after a change of business hours, targets or statuses.

The job handles the cases by number, a batch in each transaction, and records its progress. A change during a run begins
a new run, and the job of the old run ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from portal import jobs
from portal.database import current
from portal.database.batches import halves_or_report
from portal.desk.deadlines import keeping
from portal.desk.deadlines.calendars import hold
from portal.errors import Unavailable

OPEN = "c.status not in ('resolved', 'closed')"
BATCH = 500
"""The maximum number of cases in one transaction. A change of one of these cases waits until the transaction ends."""


@dataclass(frozen=True, slots=True)
class Recount:
    """The progress of the latest run, which has the number `version`: `done` of `total` cases.

    `ended_at` is None while the run lasts.
    """

    version: int
    total: int
    done: int
    ended_at: datetime | None


async def begin() -> None:
    """Enqueue the job that computes the deadlines of all open cases again.

    Call this in the transaction of the change of business hours, targets or statuses, before the change. Until the
    transaction ends, no other transaction computes a deadline, so none is computed with the old values. A run that has
    not ended is replaced.
    """
    version = await current().fetchval(_BEGIN)
    await hold()
    await jobs.enqueue("recount_deadlines", version=version)


async def latest() -> Recount | None:
    """Return the progress of the latest run, or None if there was none."""
    row = await current().fetchrow("select version, total, done, ended_at from deadline_recount")
    return Recount(**row) if row else None


async def recount(version: int, at: datetime) -> bool:
    """Compute the deadlines of the next batch of cases of the run `version`, and return whether cases are left.

    Run in the caller's transaction. Return False for a run that has ended or was replaced by a later one. If the
    deadlines of a case cannot be computed or stored, the case keeps its former deadlines, the traceback is logged, and
    the other cases are handled. Raise `Unavailable` if the database is not available or a lock was not free in time.
    """
    reached = await current().fetchval(_REACHED, version)
    if reached is None:
        return False
    cases = await current().fetch(_NEXT, reached, BATCH)
    report = await halves_or_report([row["id"] for row in cases], partial(_compute, at=at), reader=current().reader)
    if away := next((one for one in report.refused.values() if isinstance(one, Unavailable)), None):
        raise away
    is_over = len(cases) < BATCH
    await current().execute(_PROGRESS, len(cases), cases[-1]["number"] if cases else reached, at if is_over else None)
    return not is_over


async def _compute(case_ids: Sequence[int], *, at: datetime) -> None:
    """Compute and store the pauses and deadlines of these cases."""
    await keeping.follow_statuses(case_ids, at)
    known = await keeping.known_of(case_ids)
    first = await keeping.write(known, await keeping.calendar_now())
    dues, soons = ([pair[place] for pair in first] for place in (0, 1))
    await current().execute(_SET, [case_id for case_id, _, _ in known], dues, soons)


_BEGIN = f"""
insert into deadline_recount (version, total) select 1, count(*) from cases c where {OPEN} on conflict (id) do update set
  version = deadline_recount.version + 1, total = excluded.total, done = 0, reached = 0, ended_at = null
returning version
"""  # noqa: S608
_REACHED = "select reached from deadline_recount where version = $1 and ended_at is null for update"
_NEXT = f"select id, number from cases c where {OPEN} and number > $1 order by number limit $2 for no key update"  # noqa: S608
_SET = """
update cases c set due_at = new.due_at, soon_at = new.soon_at from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) as
  new (id, due_at, soon_at)
where c.id = new.id and (c.due_at is distinct from new.due_at or c.soon_at is distinct from new.soon_at)
"""
_PROGRESS = "update deadline_recount set done = done + $1, reached = $2, ended_at = $3"
