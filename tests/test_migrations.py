"""Test migrations: all or none of them are applied, and existing rows are kept."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from piccolo.apps.migrations.commands import forwards

from portal import database
from portal.billing import violations
from portal.database import schema, transaction
from portal.people.access import invitations, sessions
from portal.people.readers import SYSTEM
from tests.conftest import _drop, _of, _run
from tests.examples import turns
from tests.served import ROOT
from tests.world import ACME, ADA, INCIDENT, NOW, cast_rows

pytestmark = [pytest.mark.slow, pytest.mark.infra]

TOKEN = "i" * 43
"""The token of the invitation that `fill` writes."""

IDS = sorted(schema.migration_names())

FIRST_WITH_DATA = IDS.index("2026-11-22T0005")
"""The position of the first migration after which the tables for the rows of tests/world.py exist."""


@pytest.fixture
async def bare(server: str) -> AsyncIterator[str]:
    """Yield the owner's URL of a database without any migration."""
    name = f"portal_bare_{os.getpid()}"
    await _run(server, f"create database {name}")
    yield _of(server, name)
    await _drop(server, name)


DYING = """
import asyncio, os, signal, sys
from portal.database import schema

left = int(sys.argv[2])

def made(connection, reader, readonly):
    tx = database_transaction(connection, reader, readonly)
    real = connection

    class Connection:
        async def execute(self, sql):
            global left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return await real.execute(sql)
        def __getattr__(self, name):
            return getattr(real, name)

    tx.connection = Connection()
    return tx

database_transaction = schema.Transaction
schema.Transaction = made
asyncio.run(schema.migrate(sys.argv[1]))
"""


async def tables(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        count: int = await connection.fetchval("select count(*) from pg_tables where schemaname = 'public'")
    finally:
        await connection.close()
    return count


async def test_migrations_that_are_killed_leave_nothing_and_run_again(bare: str) -> None:
    """R96: if the process that migrates is killed, no change of any migration is kept, and migrating can run again."""
    for scripts in (0, 1, len(IDS) // 2, len(IDS) - 1):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", DYING, bare, str(scripts)), cwd=ROOT, stderr=asyncio.subprocess.PIPE
        )
        _, said = await process.communicate()
        assert process.returncode == -9, said.decode()
        assert await tables(bare) == 0, scripts
    await schema.migrate(bare)
    assert await tables(bare) > 40
    await schema.migrate(bare)  # The second time there is nothing to migrate.


async def test_two_that_migrate_at_once_take_turns(bare: str) -> None:
    """R96: two processes that migrate at the same time, as on two machines, both succeed; each migration runs once."""
    code = "import asyncio, sys; from portal.database import schema; asyncio.run(schema.migrate(sys.argv[1]))"
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code, bare), cwd=ROOT, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]
    said = [(await process.communicate())[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    connection = await asyncpg.connect(bare)
    assert await connection.fetchval("select array_agg(name order by name) from migration") == IDS
    await connection.close()


REPLACED = {"time_change": "entry_version"}
"""Tables of earlier schemas, each with the table that holds their rows now."""


async def fill(connection: asyncpg.Connection) -> None:
    """Insert the rows of tests/world.py, a session, an invitation and a case, on the schema of any release."""
    await connection.execute(cast_rows())
    columns = {
        (row["table_name"], row["column_name"])
        for row in await connection.fetch(
            "select table_name, column_name from information_schema.columns where table_name in ('session', 'invitation')"
        )
    }
    confirmed = ", confirmed_at" if ("session", "confirmed_at") in columns else ""
    await connection.execute(
        f"insert into session (token_hash, credential_id, created_at, last_used_at, address, browser{confirmed})"
        f" values ($1, $2, $3, $3, '192.0.2.7', 'Firefox'{', $3' if confirmed else ''})",
        sessions.hash_of("old-token"), ADA.credential_id, NOW,
    )  # fmt: skip
    kind = ", kind" if ("invitation", "kind") in columns else ""
    await connection.execute(
        f"insert into invitation (token_hash, credential_id, created_at, expires_at{kind})"
        f" values ($1, $2, $3, $4{', $5' if kind else ''})",
        *[sessions.hash_of(TOKEN), ADA.credential_id, NOW, NOW + invitations.VALID, *(["invitation"] if kind else [])],
    )  # fmt: skip
    await connection.execute(
        "insert into cases (customer_id, contact_id, subject, case_type_id, priority, status, opened_at, updated_at)"
        " values ($1, $2, 'VPN', $3, 2, 'new', $4, $4)",
        ACME, ADA.id, INCIDENT, NOW,
    )  # fmt: skip


SEQUENCES = """
select format('%I', sequencename), coalesce(last_value, start_value), last_value is not null
from pg_sequences where schemaname = 'public'
"""
"""A query for the state of all sequences: the name, the number, and whether that number was already used."""


async def migrate_to(connection: asyncpg.Connection, last: str) -> None:
    """Run the pending migrations up to `last` in the open transaction of this connection, as `schema.migrate` does."""
    token = database._running.set(database.Transaction(connection, None, readonly=False))
    try:
        with contextlib.redirect_stdout(None):
            await forwards.run_forwards("portal", last)
    finally:
        database._running.reset(token)


async def test_each_migration_keeps_what_was_written_to_the_schema_before_it(bare: str) -> None:
    """R96: each migration keeps people, a session, an invitation and a case that were written to the schema before it.

    The rows are written to each schema, migrated by one migration, and rolled back. The next test migrates rows through
    many migrations.
    """
    connection = await asyncpg.connect(bare)
    lost = {}
    try:
        await connection.execute(schema.ROLES + "; set client_min_messages = warning")
        async with connection.transaction():
            await migrate_to(connection, IDS[FIRST_WITH_DATA])
            for following in IDS[FIRST_WITH_DATA + 1 :]:
                numbers = await connection.fetch(SEQUENCES)
                savepoint = connection.transaction()
                await savepoint.start()
                await fill(connection)
                await connection.execute("set constraints all immediate")
                held = await rows_of(connection)
                await migrate_to(connection, following)
                after = await rows_of(connection)
                del held["migration"]
                kept = {name: after[name if name in after else REPLACED[name]] for name in held}
                if kept != held:
                    lost[following] = (held, kept)
                await savepoint.rollback()
                # A rollback does not reset sequences, and the rows of tests/world.py name one another by their ids.
                await connection.executemany("select setval($1, $2, $3)", numbers)
                await migrate_to(connection, following)
    finally:
        await connection.close()
    assert lost == {}


EARLIER = IDS[FIRST_WITH_DATA:-1]
CHOSEN = {EARLIER[0], *turns(EARLIER)}
"""The schemas from which `./dev test` migrates today."""


@pytest.mark.parametrize(
    "before", [one if one in CHOSEN else pytest.param(one, marks=pytest.mark.long) for one in EARLIER]
)
async def test_what_was_there_before_a_migration_is_there_after_it(
    bare: str, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    """R96: migrating from each earlier schema to the present one keeps people, a session, an invitation and a case."""
    monkeypatch.setattr(forwards, "run_forwards", partial(forwards.run_forwards, migration_id=before))
    await schema.migrate(bare)
    monkeypatch.undo()
    connection = await asyncpg.connect(bare)
    await fill(connection)
    held = await rows_of(connection)
    await schema.migrate(bare)
    after = await rows_of(connection)
    del held["migration"]
    assert {name: after[REPLACED.get(name, name)] for name in held} == held
    await connection.execute("grant portal_app to current_user")
    await connection.close()
    await database.start(bare, role="portal_app", size=2)
    try:
        async with transaction(None):
            found = await sessions.find("old-token", NOW)
            assert found is not None
            assert (found[0].live, found[0].confirmed_at, found[0].factor) == (True, NOW, None)
            assert (await invitations.find(TOKEN, NOW)).credential_id == ADA.credential_id
        async with transaction(SYSTEM):
            assert await violations() == {}
    finally:
        await database.stop()


async def test_the_release_of_before_runs_on_the_schema_of_now(dsn: str) -> None:
    """R96: on the new schema, the previous release can still begin sessions and invite people (rolling upgrade)."""
    async with transaction(None) as tx:
        await tx.execute(
            "insert into session (token_hash, credential_id, created_at, last_used_at, address, browser) values ($1, $2, $3, $3, '-', '-')",
            sessions.hash_of("of before"), ADA.credential_id, NOW,
        )  # fmt: skip
        await tx.execute(
            "insert into invitation (token_hash, credential_id, created_at, expires_at) values ($1, $2, $3, $4)",
            sessions.hash_of("i" * 43), ADA.credential_id, NOW, NOW + invitations.VALID,
        )  # fmt: skip
        assert (await invitations.find("i" * 43, NOW)).credential_id == ADA.credential_id
        found = await sessions.find("of before", NOW)
    assert found is not None
    assert found[0].live


async def rows_of(connection: asyncpg.Connection) -> dict[str, int]:
    """Return the number of rows of each table."""
    names = [
        row["tablename"]
        for row in await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
    ]
    counted = " union all ".join(f"select '{name}', count(*) from \"{name}\"" for name in names)
    return dict(await connection.fetch(counted))


def test_every_migration_is_named_after_its_number() -> None:
    folder = Path(ROOT / "migrations")
    numbers = [path.name[1:5] for path in sorted(folder.glob("m*.py"))]
    assert [one[-4:] for one in IDS] == numbers
