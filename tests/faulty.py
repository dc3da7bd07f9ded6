"""Provoke an unexpected database error with a trigger that refuses to write certain rows."""

import contextlib
from collections.abc import AsyncIterator

import asyncpg


@contextlib.asynccontextmanager
async def refusing(dsn: str, table: str, when: str) -> AsyncIterator[None]:
    """Make the database refuse rows of `table` that meet the SQL condition `when` on `new`, until the block ends.

    The error has an SQLSTATE that no code of the portal handles.
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
