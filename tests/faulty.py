"""Provoke an unexpected database error with a trigger that refuses to write certain rows."""

import contextlib
from collections.abc import AsyncIterator

import asyncpg

LOCKED = "55P03"
"""The SQLSTATE of a lock that another transaction holds for too long, which the portal reports as `Unavailable`."""


@contextlib.asynccontextmanager
async def refusing(dsn: str, table: str, when: str, code: str = "P0001") -> AsyncIterator[None]:
    """Make the database refuse to write rows of `table` for which the SQL condition `when` holds, until the block ends.

    The condition names the row to write `new`. The error has the SQLSTATE `code`; the portal does not handle the default.
    """
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            f"create function broken() returns trigger language plpgsql as $$ begin raise exception 'broken' using errcode = '{code}'; end $$;"
            f" create trigger broken before insert or update on {table} for each row when ({when}) execute function broken();"
        )
        yield
    finally:
        await connection.execute("drop function if exists broken() cascade")
        await connection.close()
