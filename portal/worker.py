"""Run the jobs that `portal/jobs.py` enqueued and a job that is scheduled for each minute, and make notices of the outbox.

`portal serve` runs a worker as a child process; `portal worker` runs one alone.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import wraps
from typing import cast

import asyncpg
import msgspec
import structlog
from pgqueuer import AsyncpgDriver, PgQueuer, RetryRequested
from pgqueuer.models import Job, Schedule

from portal import database, logs, mail, notices
from portal.database import transaction
from portal.desk.files import attachments
from portal.errors import Unavailable
from portal.jobs import EACH_MINUTE
from portal.notices import mailing
from portal.people import attempts, invitations, sessions
from portal.people.factors.notices import FactorChange
from portal.people.invitations import RESET_VALID
from portal.people.readers import SYSTEM
from portal.reports import files
from portal.settings import Settings
from portal.storage import Storage, open_storage
from portal.timekeeping.clock import timers
from portal.web import drafts

log = structlog.get_logger("portal.worker")

OUTBOX_KEPT = timedelta(days=7)
JOB_LOG_KEPT = timedelta(days=30)
MAIL_KEPT = timedelta(days=1)
LOOK_AGAIN = 10.0
"""After this many seconds without a notification, the worker looks for rows of the outbox that it was not notified of."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=15), timedelta(minutes=15)
"""The first and the longest pause between two attempts to send a mail."""


Ids = dict[str, int | str]
Writer = Callable[[Ids, datetime], Awaitable[EmailMessage | None]]


async def tidy(storage: Storage, at: datetime) -> None:
    """Delete data that is no longer needed.

    These are old sessions, invitation and reset links, counted attempts and drafts, files whose message was never sent,
    timers that ended long ago, old rows of the outbox of which notices have been made, old notices, the log of finished
    jobs, and old files of timesheets.
    """
    async with transaction(None):
        await sessions.delete_expired(at)
        await invitations.delete_old(at)
        await attempts.delete_old(at)
        await drafts.delete_old(at)
    async with transaction(SYSTEM) as tx:
        await tx.execute("delete from outbox where at < $1 and passed_on", at - OUTBOX_KEPT)
        await notices.delete_old(at)
        await tx.execute("delete from pgqueuer_log where created < $1", at - JOB_LOG_KEPT)
        await timers.forget(at)
        await attachments.sweep_uploads(storage, at - attachments.KEPT_FOR)
        await files.sweep(storage, at)


async def deliver(message: EmailMessage, smtp_url: str, job: Job, *, until: timedelta, at: datetime) -> None:
    """Send the mail of a job. If the SMTP server does not accept it, the job is tried again after longer and longer pauses.

    Raise `RetryRequested` to make the queue try again, or `NotSent`, after which the job has failed for good, if the job
    was enqueued longer than `until` ago.
    """
    try:
        await mail.send(message, smtp_url)
    except mail.NotSent as refusal:
        log.warning("a mail was not sent", job=job.id, name=job.entrypoint, why=str(refusal))
        if at - job.created > until:
            raise
        raise RetryRequested(delay=min(FIRST_PAUSE * 2**job.attempts, LONGEST_PAUSE), reason=str(refusal)) from None


def queue(connection: asyncpg.Connection, settings: Settings, storage: Storage) -> PgQueuer:
    """Return a queue that runs enqueued and scheduled jobs, over one database connection with the agents' role.

    The jobs are the functions below, each registered under its name. A job that fails for good is kept with its error.
    """
    jobs = PgQueuer(AsyncpgDriver(connection))

    def job(run: Callable[[Job], Awaitable[None]]) -> None:
        """Register a job under the name of its function."""
        jobs.entrypoint(run.__name__, on_failure="hold")(_told(run))

    def letter(until: timedelta) -> Callable[[Writer], None]:
        """Return a decorator that registers a job, which sends the mail that the decorated function returns, if any.

        Sending is given up when the job was enqueued longer than `until` ago. Without an SMTP server, the job does
        nothing.
        """

        def register(write: Writer) -> None:
            @wraps(write)
            async def run(job: Job) -> None:
                at = datetime.now(UTC)
                if settings.smtp_url is None:
                    log.warning("there is no mail server", job=job.id, name=job.entrypoint)
                elif (message := await write(_ids(job), at)) is not None:
                    await deliver(message, settings.smtp_url, job, until=until, at=at)

            job(run)

        return register

    @letter(until=RESET_VALID)
    async def mail_password_reset(ids: Ids, at: datetime) -> EmailMessage | None:
        return await mail.password_reset(int(ids["credential"]), settings, at)

    @letter(until=MAIL_KEPT)
    async def mail_password_changed(ids: Ids, at: datetime) -> EmailMessage | None:
        changed_at = datetime.fromisoformat(str(ids["at"]))
        return await mail.password_changed(int(ids["credential"]), changed_at, settings, at)

    @letter(until=MAIL_KEPT)
    async def mail_factor_changed(ids: Ids, at: datetime) -> EmailMessage | None:
        change, changed_at = cast("FactorChange", ids["change"]), datetime.fromisoformat(str(ids["at"]))
        return await mail.factor_changed(int(ids["credential"]), change, changed_at, settings, at)

    @job
    async def mail_notices(job: Job) -> None:
        at, batch = datetime.now(UTC), int(_ids(job)["batch"])
        message = await mail.told(batch, settings, at)
        if message is not None and settings.smtp_url is not None:
            await deliver(message, settings.smtp_url, job, until=MAIL_KEPT, at=at)
        async with transaction(SYSTEM):
            await mailing.mark_mailed(batch, at)

    @job
    async def make_export(job: Job) -> None:
        await files.make(int(_ids(job)["export"]), settings, storage, datetime.now(UTC))

    @jobs.schedule(EACH_MINUTE, "* * * * *")
    async def tidy_now(_: Schedule) -> None:
        await tidy(storage, datetime.now(UTC))

    @jobs.schedule("remind", "*/15 * * * *")
    async def remind_now(_: Schedule) -> None:
        async with transaction(SYSTEM):
            await notices.remind(datetime.now(UTC))

    return jobs


def _told(run: Callable[[Job], Awaitable[None]]) -> Callable[[Job], Awaitable[None]]:
    """Return the same job, which then also logs a line for each run."""

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


def _ids(job: Job) -> Ids:
    return msgspec.json.decode(job.payload or b"{}", type=Ids)


async def make_notices(*, mails: bool) -> None:
    """Listen for new rows of the outbox, and make the notices of each as soon as it is committed, until cancelled.

    Begin the mails of the notices that are due, too; without a mail server (`mails` is False), give them up.
    Raise `Unavailable` if the database goes down.
    """
    woken = asyncio.Event()
    connection = await database.listener_connection()
    try:
        connection.add_termination_listener(lambda _: woken.set())
        await connection.add_listener("portal", lambda *_: woken.set())
        while not connection.is_closed():
            woken.clear()
            await pass_all_on(datetime.now(UTC))
            await _begin_mails(datetime.now(UTC), mails=mails)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), LOOK_AGAIN)
    finally:
        await connection.close(timeout=1)
    raise Unavailable("The database is away for a moment.")


async def _begin_mails(at: datetime, *, mails: bool) -> None:
    """Begin the mails of the notices that are due, or give them up if there is no mail server (`mails` is False)."""
    async with transaction(SYSTEM):
        await (mailing.begin_mails if mails else mailing.withdraw_mails)(at)


async def pass_all_on(at: datetime) -> None:
    """Make the notices of all rows of the outbox that have not been passed on yet.

    Each call of `notices.pass_on` processes some of the rows, in a transaction of its own.
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
            telling = tasks.create_task(make_notices(mails=settings.smtp_url is not None))
            await jobs.run(dequeue_timeout=timedelta(seconds=2), heartbeat_timeout=timedelta(seconds=10))
            telling.cancel()
    finally:
        await connection.close(timeout=1)
        await database.stop()


def run(settings: Settings) -> None:
    """Set up logging, and run jobs until this process is stopped. This is the command `portal worker`."""
    logs.set_up(settings.log_level)
    asyncio.run(work(settings))
