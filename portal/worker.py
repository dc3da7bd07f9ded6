"""The worker: runs the jobs that `portal/jobs.py` enqueued, and what is due by the clock. `serve` keeps one as a child process."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog
from pgqueuer import AsyncpgDriver, PgQueuer
from pgqueuer.models import Schedule

from portal import database
from portal.database import transaction
from portal.desk import attachments
from portal.people import sessions
from portal.people.readers import SYSTEM
from portal.settings import Settings
from portal.storage import Storage, open_storage

log = structlog.get_logger("portal.worker")

OUTBOX_KEPT = timedelta(days=7)


async def tidy(storage: Storage, at: datetime) -> None:
    """What nobody can need any more: old sessions, attempts and drafts, files whose message never came, notices that everybody got."""
    async with transaction(None):
        await sessions.forget(at)
    async with transaction(SYSTEM) as tx:
        await tx.execute("delete from outbox where at < $1", at - OUTBOX_KEPT)
        await attachments.sweep_uploads(storage, at - timedelta(hours=1))


def queue(connection: asyncpg.Connection, storage: Storage) -> PgQueuer:
    """The jobs and the clock's work on one connection of the agents' role."""
    jobs = PgQueuer(AsyncpgDriver(connection))

    @jobs.schedule("tidy", "*/10 * * * *")
    async def tidy_now(_: Schedule) -> None:
        await tidy(storage, datetime.now(UTC))

    return jobs


async def work(settings: Settings) -> None:
    """Work until SIGTERM or Ctrl-C. Raises where the database goes away: the supervisor starts another, with back-off."""
    if settings.app_url is None:
        raise RuntimeError("There is no database URL.")
    storage = open_storage(settings.storage_url)
    await database.start(settings.app_url, role=settings.app_role, size=2)
    connection = await asyncpg.connect(
        settings.app_url, server_settings={"role": "portal_agent", "application_name": "portal worker"}
    )
    try:
        jobs = queue(connection, storage)
        for stop in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(stop, jobs.shutdown.set)
        log.info("the worker is ready")
        await jobs.run(dequeue_timeout=timedelta(seconds=2), heartbeat_timeout=timedelta(seconds=10))
    finally:
        await connection.close(timeout=1)
        await database.stop()


def run(settings: Settings) -> None:
    """`portal worker`."""
    asyncio.run(work(settings))
