"""Run enqueued jobs (`portal/jobs.py`) and jobs at fixed times, and make notices from the outbox.

`portal serve` runs a worker as a child process; `portal worker` runs one alone.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import wraps
from uuid import UUID

import asyncpg
import msgspec
import structlog
from pgqueuer import AsyncpgDriver, PgQueuer, RetryRequested
from pgqueuer.models import Job, Schedule

from portal import billing, database, logs, mail, memory, notices
from portal.database import transaction
from portal.desk.bulk import changes, running
from portal.desk.deadlines import recounting, warning
from portal.desk.files import attachments, showing
from portal.desk.help import reading as help_reading
from portal.desk.lists import own_views
from portal.desk.replies import outgoing as outgoing_replies
from portal.desk.workflow import returning, unanswered
from portal.errors import Unavailable
from portal.jobs import EACH_MINUTE
from portal.mail import outgoing, refusals
from portal.notices import invoice_mails, mailing
from portal.people.access import attempts, invitations, sessions
from portal.people.readers import SYSTEM
from portal.reports import files
from portal.settings import Settings
from portal.storage import Storage, open_storage
from portal.timekeeping.clock import timers
from portal.web import drafts

log = structlog.get_logger("portal.worker")

OUTBOX_KEPT = timedelta(days=7)
JOB_LOG_KEPT = timedelta(days=30)
READERS_KEPT = timedelta(days=1)
LOOK_AGAIN = 10.0
"""After this many seconds without a notification, the worker looks for outbox rows anyway.

It may have missed a notification.
"""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=15), timedelta(minutes=15)
"""The first and the longest pause between two attempts to send a mail. All other jobs wait `FIRST_PAUSE` each time."""


async def tidy(storage: Storage, at: datetime) -> None:
    """Delete data that is no longer needed.

    - Old sessions, invitation and reset links, counted attempts, and unsent texts of forms.
    - Old rows of the outbox whose notices have been made, old notices, and old lines of the job log.
    - Old records of mails, of refused mail addresses, of bulk changes of cases, and of who read which help article.
    - Old replies that were withdrawn, saved views that were deleted, and timers that ended long ago.
    - Files whose message was never sent, old files of timesheets, and old previews of files.
    """
    async with transaction(None):
        await sessions.delete_expired(at)
        await invitations.delete_old(at)
        await attempts.delete_old(at)
        await drafts.delete_old(at)
    async with transaction(SYSTEM) as tx:
        await tx.execute("delete from outbox where at < $1 and passed_on", at - OUTBOX_KEPT)
        await notices.delete_old(at)
        await outgoing.delete_old(at)
        await refusals.delete_old(at)
        await tx.execute("delete from pgqueuer_log where created < $1", at - JOB_LOG_KEPT)
        await timers.forget(at)
        await attachments.sweep_uploads(storage, at - attachments.KEPT_FOR)
        await files.sweep(storage, at)
        await showing.delete_old(at)
        await outgoing_replies.delete_old(at)
        await own_views.delete_old(at)
        await changes.delete_old(at)
        await help_reading.forget_readers((at - READERS_KEPT).date())


def queue(connection: asyncpg.Connection, settings: Settings, storage: Storage) -> PgQueuer:
    """Return a queue that runs the jobs, enqueued or scheduled, over one database connection with the agents' role.

    There is one job for each kind of mail, and one for each decorated function below. A job that fails for good is kept
    with its error.
    """
    jobs = PgQueuer(AsyncpgDriver(connection))

    def job(run: Callable[[Job], Awaitable[None]]) -> None:
        """Register a job under the name of its function."""
        jobs.entrypoint(run.__name__, on_failure="hold")(_told(run))

    def letter(kind: str) -> None:
        """Register the job that sends mails of this kind, and tries again after longer and longer pauses."""

        async def run(job: Job) -> None:
            delivery = mail.Delivery(job.id, kind, _ids(job), job.created, datetime.now(UTC))
            try:
                await mail.deliver(delivery, settings)
            except (mail.NotSent, Unavailable) as failure:  # The mail server or the database is away for a moment.
                pause = min(FIRST_PAUSE * 2 ** min(job.attempts, 10), LONGEST_PAUSE)  # a larger power would overflow
                raise RetryRequested(delay=pause, reason=str(failure)) from None

        run.__name__ = kind
        job(run)

    for kind in mail.LETTERS:
        letter(kind)

    @job
    async def make_export(job: Job) -> None:
        await files.make(int(_ids(job)["export"]), settings, storage, datetime.now(UTC))

    @job
    async def send_reply(job: Job) -> None:
        with _again_later():
            await outgoing_replies.go_out(int(_ids(job)["reply"]), datetime.now(UTC))

    @job
    async def bill(job: Job) -> None:
        with _again_later():
            ending = await billing.resume_run(int(_ids(job)["run"]), datetime.now(UTC))
        # A request is billing a customer of the run. It may be killed before it has finished, so try again later.
        if ending is billing.Ending.UNDER_WAY:
            raise RetryRequested(delay=FIRST_PAUSE, reason="another process bills a customer of the run")

    @job
    async def recount_deadlines(job: Job) -> None:
        with _again_later():
            while await _recount(int(_ids(job)["version"])):
                pass

    @job
    async def change_cases(job: Job) -> None:
        with _again_later():
            await running.resume(UUID(str(_ids(job)["change"])), datetime.now(UTC))

    @jobs.schedule(EACH_MINUTE, "* * * * *")
    async def tidy_now(_: Schedule) -> None:
        await tidy(storage, datetime.now(UTC))

    @jobs.schedule("workflow", "* * * * *")
    async def see_to_cases(_: Schedule) -> None:
        for step in (warning.warn, returning.wake, unanswered.remind, unanswered.close):
            while await _step(step):
                pass

    @jobs.schedule("remind", "*/15 * * * *")
    async def remind_now(_: Schedule) -> None:
        async with transaction(SYSTEM):
            await notices.remind(datetime.now(UTC))

    @jobs.schedule("begin_billing", "*/15 * * * *")
    async def begin_billing_now(_: Schedule) -> None:
        await billing.begin_scheduled(datetime.now(UTC))

    @jobs.schedule("renew", "7 * * * *")
    async def renew_now(_: Schedule) -> None:
        report = await billing.renew_contracts(datetime.now(UTC))
        for (contract, _customer), why in report.refused.items():
            log.warning("a contract was not renewed", contract=contract, reason=type(why).__name__)

    return jobs


@contextlib.contextmanager
def _again_later() -> Iterator[None]:
    """Turn `Unavailable`, raised in the block, into `RetryRequested`, so that the queue tries the job again later.

    `Unavailable` means, for example, that another transaction holds a lock that the job needs, or that the database is
    briefly unavailable.
    """
    try:
        yield
    except Unavailable as failure:
        raise RetryRequested(delay=FIRST_PAUSE, reason=str(failure)) from None


def _told(run: Callable[[Job], Awaitable[None]]) -> Callable[[Job], Awaitable[None]]:
    """Return a job that does the same as `run`, and also writes one line to the log each time."""

    @wraps(run)
    async def told(job: Job) -> None:
        began, outcome = time.perf_counter(), "failed"
        try:
            await run(job)
            outcome = "done"
        except RetryRequested:
            outcome = "again later"
            raise
        finally:
            ms = round((time.perf_counter() - began) * 1000)
            log.info("job", job=job.id, name=job.entrypoint, attempt=job.attempts, outcome=outcome, ms=ms)

    return told


def _ids(job: Job) -> mail.Ids:
    return msgspec.json.decode(job.payload or b"{}", type=mail.Ids)


async def _recount(version: int) -> bool:
    async with transaction(SYSTEM):
        return await recounting.recount(version, datetime.now(UTC))


async def _step(step: Callable[[datetime], Awaitable[int]]) -> int:
    async with transaction(SYSTEM):
        return await step(datetime.now(UTC))


async def make_notices() -> None:
    """Listen for new rows of the outbox, and make the notices of each row as soon as the row is committed.

    Also enqueue the mails that are due, as `begin_mails` does. Run until cancelled. Raise `Unavailable` if the database
    goes down.
    """
    woken = asyncio.Event()
    connection = await database.listener_connection()
    try:
        connection.add_termination_listener(lambda _: woken.set())
        await connection.add_listener("portal", lambda *_: woken.set())
        while not connection.is_closed():
            woken.clear()
            await pass_all_on(datetime.now(UTC))
            await begin_mails(datetime.now(UTC))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), LOOK_AGAIN)
    finally:
        await connection.close(timeout=1)
    raise Unavailable("The database is away for a moment.")


async def begin_mails(at: datetime) -> None:
    """Enqueue jobs for all mails that are due: mails with a link (invitation or reset), notices or an invoice."""
    async with transaction(SYSTEM):
        await invitations.begin_mails(at)
        await mailing.begin_mails(at)
        await invoice_mails.begin(at)


async def pass_all_on(at: datetime) -> None:
    """Make the notices of all rows of the outbox that have not been passed on yet.

    `notices.pass_on` processes some of the rows in each call. Each call has a transaction of its own.
    """
    while await _pass_on(at):
        pass


async def _pass_on(at: datetime) -> int:
    async with transaction(SYSTEM):
        return await notices.pass_on(at)


async def work(settings: Settings) -> None:
    """Run jobs and make notices until SIGTERM or Ctrl-C.

    Raise an error if the database goes down: the parent process then starts another worker after a pause.
    """
    if settings.app_url is None:
        raise RuntimeError("There is no database URL.")
    storage = open_storage(settings.storage_url)
    await database.start(settings.app_url, role=settings.app_role, size=2)
    connection = await asyncpg.connect(
        settings.app_url, server_settings={"role": "portal_agent", "application_name": "portal worker"}
    )
    try:
        jobs = queue(connection, settings, storage)
        for stop in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(stop, jobs.shutdown.set)
        log.info("the worker is ready")
        async with asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(make_notices())
            await jobs.run(dequeue_timeout=timedelta(seconds=2), heartbeat_timeout=timedelta(seconds=10))
            telling.cancel()
    finally:
        await connection.close(timeout=1)
        await database.stop()


def run(settings: Settings) -> None:
    """Set up logging, and run jobs until this process is stopped. This is the command `portal worker`."""
    logs.set_up(settings.log_level)
    memory.collect_less()
    asyncio.run(work(settings))
