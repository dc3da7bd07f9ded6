"""Cause an error that no code expects in the real database: a row that cannot be written."""

import contextlib
from collections.abc import AsyncIterator

import asyncpg


@contextlib.asynccontextmanager
async def refusing(dsn: str, table: str, when: str) -> AsyncIterator[None]:
    """Make the database refuse to write the rows of `table` for which `when` (SQL over `new`) holds.

    The error has a code that no code of the portal handles.
    """
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "create function broken() returns trigger language plpgsql as $$ begin raise exception 'broken'; end $$;"
            f" create trigger broken before insert or update on {table} for each row when ({when}) execute function broken();"
        )
        yield
    finally:
        await connection.execute("drop function if exists broken() cascade")
        await connection.close()
