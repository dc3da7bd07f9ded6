"""Check the health of the portal: one status for load balancers, and detailed checks for the admins' system page."""

import asyncio
import os
import shutil
from dataclasses import dataclass
from datetime import datetime

from litestar import Response, get

from portal import jobs
from portal.database import current, transaction
from portal.database.schema import migration_names
from portal.errors import Unavailable
from portal.mail import outgoing
from portal.render.formats import plural
from portal.storage import LEAST_FREE, Storage

WORKER_AWAY = 180
"""The worker is reported as missing after this many seconds without a heartbeat; it sends one each minute."""
CLOCKS_APART = 2
"""How many seconds the clocks of app and database may differ; sessions and deadlines depend on both."""


@get("/health")
async def show() -> Response[str]:
    """Return HTTP status 200 if the database responds, and 503 otherwise. Load balancers request this."""
    try:
        async with transaction(None, readonly=True) as tx:
            await tx.fetchval("select 1")
    except Unavailable:
        return Response("the database is away", status_code=503, media_type="text/plain")
    return Response("well", media_type="text/plain")


@dataclass(frozen=True, slots=True)
class Check:
    """The result of checking one part of the installation.

    `well` is False if an operator has to act. `words` is a sentence with details or with what to do.
    """

    name: str
    well: bool
    words: str


async def checks(storage: Storage, state: jobs.QueueState, at: datetime) -> list[Check]:
    """Check every part of the installation: database, schema, files, worker, mail and clock.

    Return one result for each part. `at`, the present instant by the portal's clock, is compared with the clock of the
    database. Call this in a transaction of an agent.
    """
    return [
        await _database(), await _schema(), await _files(storage), _worker(state), await _mail(at), await _clock(at)
    ]  # fmt: skip


async def _database() -> Check:
    row = await current().fetchrow(
        "select current_setting('server_version') as version, pg_database_size(current_database()) as size"
    )
    return Check("Database", True, f"PostgreSQL {row['version'].split()[0]}, {_size(row['size'])} of data.")


async def _schema() -> Check:
    ran = {row["name"] for row in await current().fetch("select name from migration")}
    missing, unknown = len(migration_names() - ran), len(ran - migration_names())
    if missing:
        return Check("Schema", False, f"{missing} migrations have not run. Run “portal migrate”.")
    if unknown:
        return Check("Schema", False, "The database is of a newer portal: upgrade this one.")
    return Check("Schema", True, f"Up to date, {len(ran)} migrations.")


async def _files(storage: Storage) -> Check:
    if storage.folder is None:
        return Check("Files", True, "In a bucket.")
    if not await asyncio.to_thread(os.access, storage.folder, os.W_OK):
        return Check("Files", False, "The folder of files cannot be written.")
    free = (await asyncio.to_thread(shutil.disk_usage, storage.folder)).free
    if free < LEAST_FREE:
        return Check("Files", False, f"{_size(free)} are free: no file is taken below {_size(LEAST_FREE)}.")
    return Check("Files", True, f"In a folder, with {_size(free)} free.")


def _worker(state: jobs.QueueState) -> Check:
    if state.worker_seconds is None:
        return Check(
            "Worker",
            False,
            "None has been seen. Start one with “portal worker”, or find out why “portal serve” has none.",
        )
    if state.worker_seconds > WORKER_AWAY:
        return Check("Worker", False, f"None has been seen for {int(state.worker_seconds // 60)} minutes.")
    return Check("Worker", True, "Seen within the last few minutes.")


async def _mail(at: datetime) -> Check:
    lost = await outgoing.lately_lost(at)
    if lost:
        return Check("Mail", False, f"{plural(lost, 'mail was', 'mails were')} given up since yesterday. See “Outbox”.")
    return Check("Mail", True, "None was given up since yesterday.")


async def _clock(at: datetime) -> Check:
    apart = abs((await current().fetchval("select clock_timestamp()") - at).total_seconds())
    if apart > CLOCKS_APART:
        return Check(
            "Clock",
            False,
            f"The clocks of the portal and of the database are {apart:.0f} seconds apart: set them by NTP.",
        )
    return Check("Clock", True, "The portal and the database agree.")


def _size(octets: int) -> str:
    return f"{octets / 1_000_000_000:.1f} GB" if octets >= 1_000_000_000 else f"{octets / 1_000_000:.0f} MB"
