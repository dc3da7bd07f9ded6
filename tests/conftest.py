"""The ground that tests stand on: a real PostgreSQL, and a database with nothing but the cast in it for each test that asks."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from litestar import Litestar

from portal import database, logs
from portal.app import create_app
from portal.database import schema
from portal.settings import Settings
from portal.storage import open_storage
from portal.web.gate import Gate
from tests.world import KINDS_OF_GENERAL_TIME, cast_rows

logs.set_up("warning")
_numbers = itertools.count(1)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Note that the tests of the infrastructure passed on the files of today (`./dev test`)."""
    stamp, _, digest = os.environ.get("PORTAL_INFRASTRUCTURE_STAMP", "").partition("=")
    if stamp and exitstatus == 0 and not hasattr(session.config, "workerinput"):
        Path(stamp).write_text(digest)


def _of(dsn: str, name: str) -> str:
    """The same server's database `name`."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


async def _run(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def _drop(server: str, name: str) -> None:
    """Drop a database with whoever is connected to it. The server's own cleaners, which only its superuser may end, are waited for."""
    for last in (False,) * 40 + (True,):
        try:
            return await _run(server, f"drop database if exists {name} with (force)")
        except (asyncpg.InsufficientPrivilegeError, asyncpg.ObjectInUseError):
            if last:
                raise
            await asyncio.sleep(0.25)
    return None


async def _migrated(dsn: str) -> None:
    """Migrate, and let the owner become the app's role, as the tests do; a superuser may anyway."""
    await schema.migrate(dsn)
    await _run(dsn, "grant portal_app to current_user")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Owner's URL of a PostgreSQL server: PORTAL_TEST_DATABASE_URL, else an embedded one of this process."""
    given = os.environ.get("PORTAL_TEST_DATABASE_URL")
    if given:
        yield given
        return
    from portal.embedded import EmbeddedPostgres

    postgres = EmbeddedPostgres(
        tmp_path_factory.mktemp("postgres"),
        options={"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"},
    )
    try:
        yield postgres.start()
    finally:
        postgres.remove()


@pytest.fixture(scope="session")
def workbench(server: str) -> Iterator[str]:
    """Owner's URL of the migrated database that the tests of this process use one after the other."""
    name = f"portal_{os.getpid()}"
    asyncio.run(_run(server, f"create database {name}"))
    asyncio.run(_migrated(_of(server, name)))
    yield _of(server, name)
    asyncio.run(_drop(server, name))


@pytest.fixture
async def dsn(workbench: str) -> AsyncIterator[str]:
    """Owner's URL of a database with the cast in it and nothing else, with the pool open on it as the app's role."""
    await tidy(workbench)
    await database.start(workbench, role="portal_app", size=4)
    yield workbench
    await database.stop()


async def tidy(dsn: str) -> None:
    """Empty every table, start every sequence anew, write the cast. Twenty times as fast as another copy of the database.

    The triggers that guard issued invoices and logs are at rest meanwhile: a superuser can have them so, and deletes, which is three times as
    fast; who only owns the tables cuts them off at once, which fires none of them.
    """
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
        tables = await connection.fetch(
            "select tablename from pg_tables where schemaname = 'public' and tablename <> 'migration'"
        )
        used = await connection.fetch(
            "select format('%I', sequencename) as name, start_value from pg_sequences where schemaname = 'public' and last_value is not null"
        )
        names = [f'"{table["tablename"]}"' for table in tables]
        if await connection.fetchval("select rolsuper from pg_roles where rolname = current_user"):
            emptying = (
                "set local session_replication_role = replica;"
                + "".join(f"delete from {name};" for name in names)
                + "set local session_replication_role = origin;"
            )
        else:
            emptying = f"truncate {', '.join(names)};"
        anew = "".join(f"select setval('{sequence['name']}', {sequence['start_value']}, false);" for sequence in used)
        await connection.execute(f"begin; {emptying} {anew} {cast_rows()} {KINDS_OF_GENERAL_TIME} commit")
    finally:
        await connection.close()


@pytest.fixture
async def empty_dsn(server: str) -> AsyncIterator[str]:
    """Owner's URL of a migrated database in which there is nobody and nothing, with the pool open on it as the app's role."""
    name = f"portal_empty_{os.getpid()}_{next(_numbers)}"
    await _run(server, f"create database {name}")
    await _migrated(_of(server, name))
    await database.start(_of(server, name), role="portal_app", size=4)
    yield _of(server, name)
    await database.stop()
    await _drop(server, name)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """An empty folder for stored files."""
    folder = tmp_path / "files"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    """Settings of an app on the test's database and files."""
    return Settings.from_environment(
        {
            "PORTAL_ENVIRONMENT": "test",
            "DATABASE_OWNER_URL": dsn,
            "PORTAL_DATA": str(tmp_path / "data"),
            "PORTAL_BASE_URL": "http://127.0.0.1:8000",
            "PORTAL_SMTP_URL": "smtp://127.0.0.1:9",
            "PORTAL_MAIL_FROM": "Halden IT <support@halden.example>",
        }
    )


@pytest.fixture(scope="session")
def routes(tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    """The hundred routes, put together once a process: they know nothing of settings, the gate before them does."""
    data = str(tmp_path_factory.mktemp("routes"))
    inner: Litestar = create_app(Settings.from_environment({"PORTAL_ENVIRONMENT": "test", "PORTAL_DATA": data})).inner
    return inner


@pytest.fixture
def app(settings: Settings, routes: Litestar) -> Gate:
    """The ASGI app; the pool is open already, so its lifespan does not run."""
    return Gate(routes, settings, open_storage(settings.storage_url))
