"""The owner's connection to the database of the tests, which all tests of a process share.

Opening a connection takes as long as a small test, because on it PostgreSQL reads the catalog anew for each table used.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg


class _Kept:
    """The connection that is kept, with its URL and the event loop in which it works."""

    dsn = ""
    connection: asyncpg.Connection | None = None
    loop: asyncio.AbstractEventLoop | None = None


async def keep(dsn: str, prepare: Callable[[asyncpg.Connection], Awaitable[None]]) -> asyncpg.Connection:
    """Return the owner's connection to `dsn`, which stays open until `close`.

    If there is no connection yet, or a test has closed it, connect and call `prepare` with the new connection.
    """
    if _Kept.connection is None or _Kept.connection.is_closed():
        _Kept.dsn, _Kept.loop, _Kept.connection = dsn, asyncio.get_running_loop(), await asyncpg.connect(dsn)
        await prepare(_Kept.connection)
    return _Kept.connection


async def close() -> None:
    """Close the kept connection, so that its database can be dropped."""
    if _Kept.connection is not None:
        await _Kept.connection.close()


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Yield the kept connection. For another database or in another event loop, yield a new one and close it afterwards."""
    kept = _Kept.connection
    if kept and not kept.is_closed() and (dsn, asyncio.get_running_loop()) == (_Kept.dsn, _Kept.loop):
        yield kept
        return
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()
