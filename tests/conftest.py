"""The ground that tests stand on: a real PostgreSQL, and a fresh copy of a database with the cast in it for each test that asks."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from portal import database
from portal.app import create_app
from portal.settings import Settings
from portal.web.gate import Gate
from tests.world import seed_cast

_numbers = itertools.count(1)


def _of(dsn: str, name: str) -> str:
    """The same server's database `name`."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


async def _run(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Owner's URL of a PostgreSQL server: PORTAL_TEST_DATABASE_URL, else an embedded one of this process."""
    given = os.environ.get("PORTAL_TEST_DATABASE_URL")
    if given:
        yield given
        return
    from portal.embedded import EmbeddedPostgres

    postgres = EmbeddedPostgres(
        tmp_path_factory.mktemp("postgres"), options={"fsync": "off", "synchronous_commit": "off"}
    )
    try:
        yield postgres.start()
    finally:
        postgres.remove()


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[str]:
    """Name of a migrated database with the cast (`tests/world.py`), to be cloned."""
    name = f"portal_template_{os.getpid()}"

    async def build() -> None:
        await _run(server, f"create database {name}")
        await database.migrate(_of(server, name))
        await database.start(_of(server, name), role="portal_app", size=2)
        await seed_cast()
        await database.stop()

    asyncio.run(build())
    yield name
    asyncio.run(_run(server, f"drop database if exists {name} with (force)"))


@pytest.fixture
async def dsn(server: str, template: str) -> AsyncIterator[str]:
    """Owner's URL of a fresh copy of the template, with the pool open on it as the app's role."""
    name = f"portal_{os.getpid()}_{next(_numbers)}"
    await _run(server, f"create database {name} template {template}")
    await database.start(_of(server, name), role="portal_app", size=4)
    yield _of(server, name)
    await database.stop()
    await _run(server, f"drop database {name} with (force)")


@pytest.fixture
async def empty_dsn(server: str) -> AsyncIterator[str]:
    """Owner's URL of a migrated database in which there is nobody and nothing, with the pool open on it as the app's role."""
    name = f"portal_empty_{os.getpid()}_{next(_numbers)}"
    await _run(server, f"create database {name}")
    await database.migrate(_of(server, name))
    await database.start(_of(server, name), role="portal_app", size=4)
    yield _of(server, name)
    await database.stop()
    await _run(server, f"drop database {name} with (force)")


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
        }
    )


@pytest.fixture
def app(settings: Settings) -> Gate:
    """The ASGI app; the pool is open already, so its lifespan does not run."""
    return create_app(settings)
