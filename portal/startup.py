"""Start what a command needs: settings, a database that responds, and the processes that serve requests."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from portal.embedded import EmbeddedPostgres
    from portal.settings import Settings

Result = TypeVar("Result")


def refuse_unfit(settings: "Settings") -> None:
    """Raise `CannotStart`, before anything is started, if the storage or the external database cannot be used.

    The storage folder is created if it is missing.
    """
    from portal.database import schema
    from portal.settings import CannotStart
    from portal.storage import open_storage

    open_storage(settings.storage_url)
    if settings.app_url is None:
        return
    try:
        asyncio.run(schema.refuse_unfit(settings.app_url, production=settings.environment == "production"))
    except ValueError as refusal:
        raise CannotStart(str(refusal)) from refusal


def run_tree(
    settings: "Settings",
    host: str,
    port: int,
    greet: Callable[[], None],
    fill: Callable[["Settings"], None] = lambda settings: None,
    *,
    with_worker: bool = True,
) -> None:
    """Serve requests until told to stop. Start the embedded database first if the settings contain no database URL.

    The embedded database is migrated. `fill` is called with the settings before the app starts, to add data. `greet` is
    called once, when the app responds. If `with_worker` is False, no worker process is started. Raise `CannotStart` if
    the port is taken, if another process runs on the same data folder, or if something does not start.
    """
    from portal import serving

    serving.refuse_taken_port(host, port)
    embedded = _embedded(settings)
    try:
        if embedded is not None:
            embedded.own()
            settings = _prepared(embedded, settings)
        fill(settings)
        # The processes that answer requests do not need the URL of the tables' owner.
        worker = serving.WORKER if with_worker else None
        alone = replace(settings, database_owner_url=None)
        serving.serve(alone, host=host, port=port, database=embedded, ready=greet, worker=worker)
    finally:
        if embedded is not None:
            embedded.stop()


def _embedded(settings: "Settings") -> "EmbeddedPostgres | None":
    """Return the embedded server, or None if the settings contain the URL of an external database."""
    if settings.app_url is not None:
        return None
    from portal.embedded import EmbeddedPostgres

    return EmbeddedPostgres(settings.data)


def settings_for(data: str | None) -> "Settings":
    """Return the settings from the environment variables. If `data` is given, it is the path of the data folder.

    With `data`, the setting `environment` is `demo` unless the variable `PORTAL_ENVIRONMENT` says otherwise.
    """
    from portal.settings import Settings

    environ = {"PORTAL_ENVIRONMENT": "demo", **os.environ, "PORTAL_DATA": data} if data else dict(os.environ)
    return Settings.from_environment(environ)


def _prepared(embedded: "EmbeddedPostgres", settings: "Settings", *, migrate: bool = True) -> "Settings":
    """Start the embedded server unless it is running, migrate the database, and return the settings with both URLs.

    If `migrate` is False (to restore a backup), do not migrate; then both URLs connect as the owner of the tables.
    """
    from portal.database import schema

    owner = embedded.found_running()
    if owner is None:
        with step("Starting PostgreSQL"):
            owner = embedded.start()
    if not migrate:
        return replace(settings, database_url=owner, database_owner_url=owner)
    with step("Bringing the schema up to date"):
        asyncio.run(schema.migrate(owner))
    return replace(settings, database_url=embedded.let_in("portal_app"), database_owner_url=owner)


@contextlib.contextmanager
def database_of(settings: "Settings", *, migrate: bool = True) -> "Iterator[Settings]":
    """Yield the settings with the URL of a database that responds.

    If the settings contain no URL of an external database, use the embedded database. If `migrate` is True, migrate it
    first. It runs for the duration of the block, or longer if `portal serve` runs it already.
    """
    embedded = _embedded(settings)
    if embedded is None:
        yield settings
        return
    try:
        yield _prepared(embedded, settings, migrate=migrate)
    finally:
        embedded.stop()


async def with_pool(settings: "Settings", work: Coroutine[Any, Any, Result]) -> Result:
    """Await `work` while the connection pool to the database is open, and return its result."""
    from portal import database

    await database.start(settings.app_url or "", role=settings.app_role, size=2)
    try:
        return await work
    finally:
        await database.stop()


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Print `title` to standard error before the block and, after the block, how long the block took."""
    began = time.monotonic()
    print(f"{title} ...", file=sys.stderr, flush=True)
    yield
    print(f"{title}: done in {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
