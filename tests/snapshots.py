"""Restore rows and files from a snapshot, instead of calling the slow function that creates them for each test."""

import copy
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from portal.database import _Server
from tests import owner

T = TypeVar("T")


@dataclass(frozen=True)
class Snapshot:
    """The content of the database and of the file storage, and what the function that created it returned.

    `rows` has the rows of each table in the text format of COPY, `sequences` is the SQL that sets the sequences, and
    `files` has the content of each file by its name.
    """

    rows: dict[str, bytes]
    sequences: str
    files: dict[str, bytes]
    result: Any

    async def write(self, connection: asyncpg.Connection, folder: Path) -> None:
        """Replace all rows by those of the snapshot, without firing triggers, and add its files to the folder."""
        async with connection.transaction():
            emptied = "".join(f"delete from {table};" for table in self.rows)
            await connection.execute(f"set local session_replication_role = replica; {emptied} {self.sequences}")
            for table, rows in self.rows.items():
                if rows:
                    await connection.copy_to_table(table, source=io.BytesIO(rows))
        for name, content in self.files.items():
            (folder / name).write_bytes(content)


_taken: dict[tuple[Any, str], Snapshot] = {}
_tables: list[str] = []


async def once(key: Any, folder: Path, create: Callable[[], Awaitable[T]]) -> T:
    """Return what `create` returned, with the rows and files that it created.

    The first call for a `key` runs `create`. Later calls restore a snapshot of the database and of the storage `folder`
    instead, which takes a tenth of the time. A snapshot is restored only if every table has as many rows as it had
    before the call that took the snapshot; otherwise `create` runs again. If the owner of the tables is not a
    superuser, `create` always runs, because only a superuser can turn triggers off.

    Nobody may be signed in before the call, because the snapshot of another test would replace the session.
    """
    async with owner.connected(_Server.dsn) as connection:
        if not await connection.fetchval("select rolsuper from pg_roles where rolname = current_user"):
            return await create()
        signed_in = await connection.fetchval("select count(*) from session")
        assert not signed_in, "create the rows first and sign in afterwards: the snapshot would replace the session"
        if not _tables:
            rows = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
            _tables.extend(row[0] for row in rows)
        sums = ", ".join(f"(select count(*) from {table})" for table in _tables)
        counts = await connection.fetchval(f"select array_to_string(array[{sums}], ' ')")
        if (key, counts) in _taken:
            await _taken[key, counts].write(connection, folder)
        else:
            result = await create()
            _taken[key, counts] = await _snapshot(connection, folder, result)
    found: T = copy.deepcopy(_taken[key, counts].result)
    return found


async def _snapshot(connection: asyncpg.Connection, folder: Path, result: Any) -> Snapshot:
    rows = {}
    for table in _tables:
        content = io.BytesIO()
        await connection.copy_from_table(table, output=content)
        rows[table] = content.getvalue()
    sequences = await connection.fetch(
        "select format('select setval(%L, %s, %L);', format('%I', sequencename), coalesce(last_value, start_value),"
        " last_value is not null) as sql from pg_sequences where schemaname = 'public'"
    )
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}  # noqa: ASYNC240
    return Snapshot(rows, "".join(row["sql"] for row in sequences), files, copy.deepcopy(result))
