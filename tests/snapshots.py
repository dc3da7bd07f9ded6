"""Write rows and files again that a function has created before, instead of calling it for each test."""

import copy
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from portal.database import _Server

T = TypeVar("T")


@dataclass(frozen=True)
class Snapshot:
    """The content of the database and of the file storage, and what the function returned that created it.

    `rows` has the rows of each table in the text format of COPY, `sequences` is the SQL that sets the sequences, and
    `files` has the content of each file by its name.
    """

    rows: dict[str, bytes]
    sequences: str
    files: dict[str, bytes]
    result: Any

    async def write(self, owner: asyncpg.Connection, folder: Path) -> None:
        """Replace all rows by those of the snapshot, without firing triggers, and add its files to the folder."""
        async with owner.transaction():
            emptied = "".join(f"delete from {table};" for table in self.rows)
            await owner.execute(f"set local session_replication_role = replica; {emptied} {self.sequences}")
            for table, rows in self.rows.items():
                if rows:
                    await owner.copy_to_table(table, source=io.BytesIO(rows))
        for name, content in self.files.items():
            (folder / name).write_bytes(content)


_taken: dict[tuple[Any, str], Snapshot] = {}


async def once(key: Any, folder: Path, create: Callable[[], Awaitable[T]]) -> T:
    """Return what `create` returned, with the rows and files that it created.

    `create` is called once for each `key` and number of rows that each table has before; later calls write a snapshot
    of the database and of the storage `folder`, which takes a tenth of the time. An owner who is not a superuser cannot
    turn triggers off, so for them `create` is called each time.
    """
    owner = await asyncpg.connect(_Server.dsn)
    try:
        if not await owner.fetchval("select rolsuper from pg_roles where rolname = current_user"):
            return await create()
        tables = [row[0] for row in await owner.fetch("select tablename from pg_tables where schemaname = 'public'")]
        counts = await owner.fetchval(
            f"select concat_ws(' ', {', '.join(f'(select count(*) from {table})' for table in tables)})"
        )
        if (key, counts) in _taken:
            await _taken[key, counts].write(owner, folder)
        else:
            result = await create()
            _taken[key, counts] = await _snapshot(owner, tables, folder, result)
    finally:
        await owner.close()
    found: T = copy.deepcopy(_taken[key, counts].result)
    return found


async def _snapshot(owner: asyncpg.Connection, tables: list[str], folder: Path, result: Any) -> Snapshot:
    rows = {}
    for table in tables:
        content = io.BytesIO()
        await owner.copy_from_table(table, output=content)
        rows[table] = content.getvalue()
    sequences = await owner.fetch(
        "select format('select setval(%L, %s, %L);', format('%I', sequencename), coalesce(last_value, start_value),"
        " last_value is not null) as sql from pg_sequences where schemaname = 'public'"
    )
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}  # noqa: ASYNC240
    return Snapshot(rows, "".join(row["sql"] for row in sequences), files, copy.deepcopy(result))
