"""The fixtures of all tests: a real PostgreSQL server, and for each test a database with the people of tests/world.py."""

import asyncio
import gc
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
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
from tests import examples, owner
from tests.world import KINDS_OF_GENERAL_TIME, NOW, PRIORITIES, STATUSES, TEST_SECRET, cast_rows

logs.set_up("warning")
examples.load_profile()
_numbers = itertools.count(1)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Record that the tests that `./dev test` may spare passed with the current files, so that it skips them next time.

    PORTAL_TEST_STAMPS has a line `path=digest` for each file to write: its path, and a digest of the current files.
    """
    if exitstatus == 0 and not hasattr(session.config, "workerinput"):
        for stamp in os.environ.get("PORTAL_TEST_STAMPS", "").splitlines():
            path, _, digest = stamp.rpartition("=")
            Path(path).write_text(digest)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that drive a browser, and sort them before all others, before pytest's `-m` selects by the marks.

    These tests take longest. If they were last, a worker would be idle at the end while another still runs one.
    """
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
    items.sort(key=lambda item: item.get_closest_marker("browser") is None)


def pytest_collection_finish() -> None:
    """Exempt the imported modules, which stay, from garbage collection, and collect cycles less often."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _of(dsn: str, name: str) -> str:
    """Return the URL of the database `name` on the same server as `dsn`."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


async def _run(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def _drop(server: str, name: str) -> None:
    """Drop a database after ending its connections.

    Try again for 10 s while autovacuum workers use it, because only a superuser may end those.
    """
    for last in (False,) * 40 + (True,):
        try:
            return await _run(server, f"drop database if exists {name} with (force)")
        except (asyncpg.InsufficientPrivilegeError, asyncpg.ObjectInUseError):
            if last:
                raise
            await asyncio.sleep(0.25)
    return None


async def _migrated(dsn: str) -> None:
    """Migrate the database, and allow its owner to switch to the app's role, as the tests do."""
    await schema.migrate(dsn)
    await _run(dsn, "grant portal_app to current_user")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Yield the URL of a PostgreSQL server, with a role that may create databases.

    This is PORTAL_TEST_DATABASE_URL, if it is set. Otherwise start an embedded server for this test process, yield its
    URL, and remove the server afterwards.
    """
    given = os.environ.get("PORTAL_TEST_DATABASE_URL")
    if given:
        yield given
        return
    from portal.embedded import EmbeddedPostgres

    for left in Path(tempfile.gettempdir()).glob("portal-postgres-*"):
        # A test run that was killed leaves its server's files, which may be in memory. No run takes longer than a day.
        if left.stat().st_mtime < time.time() - 86_400:
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="portal-postgres-"))  # The server's account cannot reach pytest's folders.
    postgres = EmbeddedPostgres(
        folder,
        options={
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            # Autovacuum would note, at a moment that differs from run to run, that a table is nearly empty. The plans that
            # PostgreSQL then keeps read the whole table for each row, even after a test has written ten thousand rows.
            "autovacuum": "off",
        },
    )
    try:
        yield postgres.start()
    finally:
        postgres.remove()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[str]:
    """Create a migrated, empty database as the template of others, and yield its name. Drop it afterwards."""
    name = f"portal_template_{os.getpid()}"
    asyncio.run(_run(server, f"create database {name}"))
    asyncio.run(_migrated(_of(server, name)))
    yield name
    asyncio.run(_drop(server, name))


@pytest.fixture(scope="session")
def workbench(server: str, template: str) -> Iterator[str]:
    """Create the database that the tests of this process use one after another, and yield its owner's URL.

    Its sessions use a generic plan from the first execution of a statement on, because planning for the parameters takes
    longer than it saves on tables of a few rows. Tests of query costs use `empty_dsn`, where statements are planned as in
    production. Drop the database afterwards.
    """
    name = f"portal_{os.getpid()}"
    asyncio.run(_run(server, f"create database {name} template {template}"))
    asyncio.run(_run(server, f"alter database {name} set plan_cache_mode = force_generic_plan"))
    asyncio.run(_run(server, f"alter database {name} set jit = off"))
    yield _of(server, name)
    asyncio.run(_drop(server, name))


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run all tests of this process in one uvloop event loop, as in production, so that they share connections."""
    return "asyncio", {"use_uvloop": True}


class Connections:
    """The connections that the tests of this process share: a pool of the app's role, and the owner's, which cleans up.

    Opening a connection takes longer than most tests, because PostgreSQL reads the catalog again for its first queries.
    """

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.pool: Any = None

    async def lend(self) -> None:
        """Empty the database, write the rows of tests/world.py, and let `transaction()` use the pool."""
        connection = await owner.keep(self.dsn, prepare_cleaning)
        await connection.execute(CLEAN)
        if self.pool is None:
            await database.start(self.dsn, role="portal_app", size=4)
            self.pool = database._Server.pool
        database._Server.pool, database._Server.dsn = self.pool, self.dsn

    async def take_back(self) -> None:
        """Take the shared pool away from `transaction()`.

        If the pool is closing, or a test still uses a connection of it, terminate the pool. If a test has replaced the
        shared pool by another one, close that other pool.
        """
        if database._Server.pool is not self.pool:
            await database.stop()
        database._Server.pool = None
        if self.pool.is_closing() or self.pool.get_idle_size() < self.pool.get_size():
            self.pool.terminate()
            self.pool = None

    async def close(self) -> None:
        """Close all connections, so that the database can be dropped."""
        if self.pool is not None:
            self.pool.terminate()
        await owner.close()


@pytest.fixture(scope="session")
async def connections(workbench: str) -> AsyncIterator[Connections]:
    """Yield the connections to the database of this process."""
    shared = Connections(workbench)
    yield shared
    await shared.close()


@pytest.fixture
async def dsn(connections: Connections) -> AsyncIterator[str]:
    """Yield the owner's URL of a database that contains only the people and customers of tests/world.py.

    `transaction()` uses this database as the app's role. What the gate has stored about a request is cleared, because
    all tests run in one context.
    """
    await connections.lend()
    database.ORIGIN.set(("", "", None))
    yield connections.dsn
    await connections.take_back()


async def tidy(dsn: str) -> None:
    """Empty every table and write the rows of tests/world.py, on a separate connection as the owner."""
    connection = await asyncpg.connect(dsn)
    try:
        await prepare_cleaning(connection)
        await connection.execute(CLEAN)
    finally:
        await connection.close()


async def prepare_cleaning(connection: asyncpg.Connection) -> None:
    """Create the function that `CLEAN` calls: it empties all tables, restarts all sequences and writes the test rows.

    The function exists only in the session of this connection. The session keeps the plans of the statements, so that
    a call takes a third of the time of sending the statements.

    If the owner is a superuser, triggers are off in this session: the triggers that protect issued invoices and logs
    would refuse to delete rows, and the triggers that record changes are not needed. DELETE is then three times as fast
    as TRUNCATE. If the owner is no superuser, the function uses TRUNCATE, which fires no row triggers.
    """
    tables = await connection.fetch(
        "select format('%I', tablename) as name from pg_tables where schemaname = 'public' and tablename <> 'migration'"
    )
    sequences = await connection.fetch(
        "select format('%I', sequencename) as name, start_value from pg_sequences where schemaname = 'public'"
    )
    if await connection.fetchval("select rolsuper from pg_roles where rolname = current_user"):
        await connection.execute("set session_replication_role = replica")
        emptying = " ".join(f"delete from {table['name']};" for table in tables)
    else:
        emptying = f"truncate {', '.join(table['name'] for table in tables)};"
    restarts = ", ".join(f"setval('{sequence['name']}', {sequence['start_value']}, false)" for sequence in sequences)
    await connection.execute(
        "create function pg_temp.clean() returns void language plpgsql as $clean$"
        f" begin {emptying} perform {restarts}; {cast_rows()} {KINDS_OF_GENERAL_TIME} {STATUSES} {PRIORITIES} end $clean$"
    )


# Connections that are not idle may hold locks. An idle connection holds none, and may belong to a portal that several
# tests share.
CLEAN = """
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend' and state <> 'idle';
select pg_temp.clean();
"""


@asynccontextmanager
async def new_database(server: str, template: str) -> AsyncIterator[str]:
    """Create a migrated, empty database, yield its owner's URL, and drop the database when the block ends."""
    name = f"portal_empty_{os.getpid()}_{next(_numbers)}"
    await _run(server, f"create database {name} template {template}")
    try:
        yield _of(server, name)
    finally:
        await _drop(server, name)


@asynccontextmanager
async def in_use(dsn: str) -> AsyncIterator[None]:
    """Connect the connection pool to this database as the app's role until the block ends."""
    await database.start(dsn, role="portal_app", size=4)
    try:
        yield
    finally:
        await database.stop()


@pytest.fixture
async def empty_dsn(server: str, template: str) -> AsyncIterator[str]:
    """Yield the owner's URL of a migrated, empty database. The connection pool is connected to it as the app's role."""
    async with new_database(server, template) as dsn, in_use(dsn):
        yield dsn


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return an empty folder for stored files."""
    folder = tmp_path / "files"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def data() -> Iterator[Path]:
    """Yield a data folder for an embedded server; the server's account can reach the folder, as in an ordinary clone.

    The folder and the server are removed afterwards.
    """
    from portal.embedded import EmbeddedPostgres

    folder = Path(tempfile.mkdtemp(prefix="portal-test-"))
    folder.chmod(0o711)
    yield folder
    EmbeddedPostgres(folder).remove()
    shutil.rmtree(folder)


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    """Return the settings of an app that uses the test's database and files."""
    return Settings.from_environment(
        {
            "PORTAL_ENVIRONMENT": "test",
            "DATABASE_OWNER_URL": dsn,
            "PORTAL_DATA": str(tmp_path / "data"),
            "PORTAL_BASE_URL": "http://127.0.0.1:8000",
            "PORTAL_SMTP_URL": "smtp://127.0.0.1:9",
            "PORTAL_MAIL_FROM": "Halden IT <support@halden.example>",
            "PORTAL_SECRET": TEST_SECRET,
        }
    )


@pytest.fixture(scope="session")
def routes(tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    """Return the Litestar app. It is built once per process, because nothing in it depends on settings."""
    data = str(tmp_path_factory.mktemp("routes"))
    inner: Litestar = create_app(Settings.from_environment({"PORTAL_ENVIRONMENT": "test", "PORTAL_DATA": data})).inner
    return inner


@pytest.fixture
def app(settings: Settings, routes: Litestar) -> Gate:
    """Return the ASGI app, ready for requests. Its lifespan does not run, because the connection pool is open already."""
    return Gate(routes, settings, open_storage(settings.storage_url))


@pytest.fixture
def clock(app: Gate) -> None:
    """Let the clock of the app always show `NOW`."""
    app.clock = lambda: NOW
