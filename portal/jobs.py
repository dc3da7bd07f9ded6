"""Enqueue jobs for the worker. A job is stored in the caller's transaction, so it exists only if that commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from portal.database import current
from portal.errors import NotFound

EACH_MINUTE = "tidy"
"""The name of the job that deletes old data each minute. Its last run also shows whether a worker runs (heartbeat)."""

WORDS = {
    EACH_MINUTE: "Tidy up",
    "mail_invitation": "Mail an invitation or a link for a new password",
    "mail_password_reset": "Mail a link for a new password",
    "mail_password_changed": "Mail that a password was changed",
    "mail_factor_changed": "Mail that a second factor was changed",
    "mail_notices": "Mail what happened",
    "mail_invoice": "Mail an invoice",
    "make_export": "Write an export",
    "send_reply": "Send a reply that can no longer be taken back",
    "bill": "Go on with a billing run",
    "recount_deadlines": "Compute deadlines again",
    "change_cases": "Change many cases",
}
"""The description of each job for admins, by the name of the job."""


def _queries() -> Any:
    """Return PgQueuer's `Queries` on the connection of the running transaction.

    PgQueuer is imported here, because the child processes that write files import this module, and never need it.
    """
    from pgqueuer import AsyncpgDriver, Queries  # noqa: PLC0415 - 60 ms of the 440 that such a process takes to start

    return Queries(AsyncpgDriver(current().connection))


async def enqueue(name: str, **ids: int | str) -> int:
    """Enqueue the job `name`, a key of `WORDS`, with these ids as its arguments, and return the job's id.

    The worker (`portal/worker.py`) runs the job after the commit. If a worker fails, the job may run again, so it must
    be idempotent.
    """
    (job,) = await _queries().enqueue(name, msgspec.json.encode(ids))
    return int(job)


async def enqueue_later(name: str, after: timedelta, **ids: int | str) -> None:
    """Enqueue a job as `enqueue` does, to run no earlier than `after` from now by the clock of the database."""
    await _queries().enqueue(name, msgspec.json.encode(ids), execute_after=after)


async def enqueue_all(name: str, many: Sequence[Mapping[str, int | str]]) -> None:
    """Enqueue the job `name` once for each mapping of ids in `many`, by one statement."""
    if many:
        await _queries().enqueue([name] * len(many), [msgspec.json.encode(ids) for ids in many], [0] * len(many))


@dataclass(frozen=True, slots=True)
class QueueState:
    """The state of the job queue.

    `waiting`, `running` and `failed` are numbers of jobs. `oldest_seconds` is how long ago the oldest waiting job
    became due; it is 0 if no waiting job is due. `worker_seconds` is the time since the last heartbeat of a worker, or
    None if there was none.
    """

    waiting: int
    running: int
    failed: int
    oldest_seconds: float
    worker_seconds: float | None


STATE = """
select count(*) filter (where status = 'queued') as waiting, count(*) filter (where status = 'picked') as running,
       count(*) filter (where status = 'failed') as failed,
       coalesce(extract(epoch from now() - min(execute_after) filter (where status = 'queued' and execute_after <= now())), 0)::float8
         as oldest_seconds,
       (select extract(epoch from now() - max(last_run))::float8 from pgqueuer_schedules where entrypoint = $1) as worker_seconds
from pgqueuer
"""


async def state() -> QueueState:
    """Return the state of the job queue. Times are measured by the database's clock, which the workers use too."""
    return QueueState(**await current().fetchrow(STATE, EACH_MINUTE))


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that has failed and is not tried again. `error` is the class name of its last exception."""

    id: int
    name: str
    enqueued_at: datetime
    failed_at: datetime
    attempts: int
    error: str

    @property
    def word(self) -> str:
        """Return the description of the job for admins; for a job that this release does not know, its name."""
        return WORDS.get(self.name, self.name)


FAILED = """
select q.id, q.entrypoint as name, q.created as enqueued_at, q.updated as failed_at, q.attempts,
       coalesce((select l.traceback ->> 'exception_type' from pgqueuer_log l where l.job_id = q.id and l.status = 'failed'
                 order by l.id desc limit 1), '') as error
from pgqueuer q where q.status = 'failed' order by q.updated desc, q.id desc limit $1
"""


async def failed(most: int) -> list[FailedJob]:
    """Return at most `most` failed jobs, the latest first."""
    return [FailedJob(**row) for row in await current().fetch(FAILED, most)]


async def retry(job: int) -> None:
    """Enqueue a failed job again. Do nothing if it has been retried or discarded already.

    Raise `NotFound` for an unknown job.
    """
    if await _is_held(job):
        await _queries().requeue_jobs([job])


async def discard(job: int) -> None:
    """Delete a failed job from the queue. Do nothing if it has been retried or discarded already.

    Raise `NotFound` for an unknown job.
    """
    if await _is_held(job):
        await current().execute(
            "with gone as (delete from pgqueuer where id = $1 returning id, entrypoint, priority)"
            " insert into pgqueuer_log (job_id, status, entrypoint, priority) select id, 'deleted', entrypoint, priority from gone",
            job,
        )


async def _is_held(job: int) -> bool:
    """Return whether the job has failed and is kept in the queue, and lock its row until the transaction ends.

    Return False for a job that was retried or discarded. Raise `NotFound` for an unknown job.
    """
    status = await current().fetchval("select status from pgqueuer where id = $1 for update", job)
    if status is None and not await current().fetchval(
        "select exists (select from pgqueuer_log where job_id = $1)", job
    ):
        raise NotFound
    return bool(status == "failed")
