"""Connect to PostgreSQL: open the pool, and run every query inside `transaction(reader)`.

A transaction names its reader, and row-level security (`migrations/`) then shows only what that reader may see.
Piccolo queries and raw SQL inside a transaction share one connection, so never run two queries of a transaction at the
same time (`asyncio.gather`).
"""

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Protocol

import asyncpg
from piccolo.engine.postgres import PostgresEngine

from portal.errors import Conflict, Refusal, Unavailable

os.environ.setdefault("PICCOLO_CONF", "portal.piccolo_conf")

Hook = Callable[[], Awaitable[None]]

ACQUIRE_SECONDS = 3.0
"""The number of seconds a request waits for a connection before the response is HTTP status 503 (R84)."""

STATEMENTS = 300
"""The number of statements that each connection keeps prepared, so that PostgreSQL need not parse and plan them again.

The app has more statements, but they take memory: 79 MB for a connection with 300 statements, 129 MB with 1,000.
"""

_LOST = (
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InternalClientError,  # asyncpg raises this if the connection was closed while it was idle.
)
"""Errors raised if the connection was lost while it was used."""
AWAY = (*_LOST, OSError, asyncpg.InterfaceError, asyncpg.TooManyConnectionsError)
"""Errors raised if the server cannot be reached, lets nobody in, or has closed the connection."""

_TOLD = "PM001"
"""The SQLSTATE of the errors that triggers raise if somebody writes to a merged case, or an erased contact writes.

The text of such an error is shown to the reader.
"""

_IN_THE_WAY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.QueryCanceledError)
"""Errors raised if another transaction holds a lock, or if a statement took too long. A retry may succeed."""


class Reader(Protocol):
    """The person or process that reads and writes: the database role, and the ids that row-level security policies use."""

    @property
    def database_role(self) -> str: ...
    @property
    def customer_id(self) -> int | None: ...
    @property
    def credential_id(self) -> int | None: ...


class _Engine(PostgresEngine):
    """A Piccolo engine that opens no connections itself and refuses queries outside `transaction()`."""

    async def _run_in_new_connection(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("A query ran outside transaction(reader).")

    _run_in_pool = _run_in_new_connection

    async def check_version(self) -> None:
        """Skip the version check, because no server is known when this module is imported."""


engine = _Engine(config={})
_running: ContextVar[Any] = engine.current_transaction
"""The `Transaction` in which the current task runs. Piccolo reads this variable too, so Piccolo's queries run in it."""


class _Server:
    """What `start()` opened in this process: the connection pool, or None, and the database URL `dsn`."""

    pool: asyncpg.Pool | None = None
    dsn = ""


class Transaction:
    """A connection on which a transaction is open. Rows are `asyncpg.Record`s; SQL parameters are `$1`, `$2`, ...

    `reader` is None while the transaction runs as the login role. `hooks` are run after the commit, and `depth` is the
    number of open savepoints.
    """

    def __init__(self, connection: Any, reader: Reader | None, readonly: bool) -> None:
        self.connection = connection
        self.reader = reader
        self.readonly = readonly
        self.hooks: list[Hook] = []
        self.depth = 0
        self.fetch = connection.fetch
        self.fetchrow = connection.fetchrow
        self.fetchval = connection.fetchval
        self.execute = connection.execute
        self.executemany = connection.executemany

    def on_commit(self, hook: Hook) -> None:
        """Run `hook` after the commit, but not if the transaction or the savepoint around this call is rolled back."""
        self.hooks.append(hook)

    async def become(self, reader: Reader) -> None:
        """Switch from the login role to the role of `reader`, after the session was read and its owner is known.

        Raise `RuntimeError` if the transaction has a reader already.
        """
        if self.reader is not None:
            raise RuntimeError("This transaction already has a reader.")
        await self.connection.execute(_as(reader))
        self.reader = reader


def _as(reader: Reader | None) -> str:
    if reader is None:
        return ""
    if reader.database_role not in ("portal_contact", "portal_administrator", "portal_agent"):
        raise ValueError(reader.database_role)
    sql = f"SET LOCAL ROLE {reader.database_role}; SET LOCAL app.credential = '{int(reader.credential_id or 0)}';"
    return sql + (f" SET LOCAL app.customer = '{int(reader.customer_id)}';" if reader.customer_id is not None else "")


ORIGIN: ContextVar[tuple[str, str, int | None]] = ContextVar("origin", default=("", "", None))
"""The client's IP address, the request id and the credential id of the current request, for the audit triggers (R89).

Outside a request the two texts are "" and the credential id is None.
"""


def _from() -> str:
    address, request, credential = ORIGIN.get()
    address, request = (re.sub(r"[^0-9A-Za-z.:-]", "", one) for one in (address, request))
    who = "" if credential is None else f"SET LOCAL app.credential = '{int(credential)}'; "
    return f"{who}SET LOCAL app.address = '{address}'; SET LOCAL app.request = '{request}';"


def current() -> Transaction:
    """Return the running transaction, which route handlers, jobs and commands open.

    Raise `RuntimeError` if there is none.
    """
    tx: Transaction | None = _running.get()
    if tx is None:
        raise RuntimeError("There is no transaction here: open transaction(reader) first.")
    return tx


@contextlib.asynccontextmanager
async def transaction(reader: Reader | None, *, readonly: bool = False) -> AsyncIterator[Transaction]:
    """Run the block in a transaction as `reader`, or as the login role if `reader` is None.

    Commit at the end of the block, then run the hooks of `on_commit`; roll back if the block raises. Inside another
    transaction of the same reader, only open a savepoint in that transaction. Raise

    - `Unavailable` if no connection is free within `ACQUIRE_SECONDS`, if the server is down, or if another transaction
      holds a lock for longer than the `lock_timeout`;
    - `Conflict` if the block writes to a case that was merged at the same moment, or in the name of an erased contact;
    - `RuntimeError` inside a transaction of another reader, inside a read-only transaction unless `readonly` is True,
      or if a block that may write catches a database error and continues.
    """
    outer: Transaction | None = _running.get()
    if outer is not None:
        if outer.reader != reader or (outer.readonly and not readonly):
            raise RuntimeError("A transaction of another reader, or a read-only one, runs here.")
        async with _savepoint(outer):
            yield outer
        return
    tx = await _begin(reader, readonly)
    token = _running.set(tx)
    try:
        try:
            yield tx
        except BaseException:
            with contextlib.suppress(*AWAY):
                await tx.connection.execute("ROLLBACK")
            raise
        if await tx.connection.execute("COMMIT") != "COMMIT" and not readonly:
            raise RuntimeError("This transaction had failed before its end, and whoever caught the error went on.")
    except Exception as error:
        if refusal := refusal_of(error):
            raise refusal from error
        raise
    finally:
        _running.reset(token)
        await _release(tx.connection)
    for hook in tx.hooks:
        await hook()


def refusal_of(error: Exception) -> Refusal | None:
    """Return the refusal to raise for a database error that is temporary, or whose text is meant for the reader.

    Return None for every other error.
    """
    if isinstance(error, asyncpg.PostgresError) and error.sqlstate == _TOLD:
        return Conflict(str(error))
    tx: Transaction | None = _running.get()
    if isinstance(error, _LOST) or (isinstance(error, asyncpg.InterfaceError) and tx and _is_gone(tx.connection)):
        return Unavailable("The database is away for a moment. Try again.")
    if isinstance(error, _IN_THE_WAY):
        return Unavailable("Somebody else is changing the same at this moment. Try again.")
    if isinstance(error, asyncpg.InsufficientResourcesError):  # The disk or the memory of the server is full.
        return Unavailable("The database has no room at the moment. Try again later.")
    return None


@contextlib.asynccontextmanager
async def _savepoint(tx: Transaction) -> AsyncIterator[None]:
    tx.depth += 1
    name, hooks = f"s{tx.depth}", len(tx.hooks)
    await tx.connection.execute(f"SAVEPOINT {name}")
    try:
        yield
    except BaseException:
        del tx.hooks[hooks:]
        with contextlib.suppress(*AWAY):
            await tx.connection.execute(f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}")
        raise
    else:
        await tx.connection.execute(f"RELEASE SAVEPOINT {name}")
    finally:
        tx.depth -= 1


async def _begin(reader: Reader | None, readonly: bool) -> Transaction:
    """Take a connection from the pool and begin a transaction on it.

    Raise `Unavailable` if no connection is free or the server is down, and `RuntimeError` if `start` was not called.
    """
    # Pooled connections may have died with the server since their last use. Then replace all of them, and try once more.
    for last in (False, True):
        connection = None
        try:
            if _Server.pool is None:
                raise RuntimeError("The database was not started.")
            connection = await _Server.pool.acquire(timeout=ACQUIRE_SECONDS)
            await connection.execute(
                f"BEGIN READ ONLY; {_as(reader)}" if readonly else f"BEGIN; {_from()} {_as(reader)}"
            )
            return Transaction(connection, reader, readonly)
        except (*AWAY, TimeoutError) as error:
            if connection is not None:
                await _release(connection, for_good=True)
            if last or isinstance(error, TimeoutError):
                raise Unavailable("The database is busy or away for a moment. Try again.") from error
            if _Server.pool is not None:
                await _Server.pool.expire_connections()
        except BaseException:
            if connection is not None:
                await _release(connection, for_good=True)
            raise
    raise AssertionError("unreachable")


def _is_gone(connection: Any) -> bool:
    """Return whether the connection is closed. A connection that was returned to the pool counts as closed."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


async def _release(connection: Any, *, for_good: bool = False) -> None:
    """Return the connection to the pool. Close it first if it is still in a transaction, or if `for_good` is set."""
    with contextlib.suppress(*AWAY):
        if for_good or connection.is_in_transaction():
            connection.terminate()
    if _Server.pool is not None:
        with contextlib.suppress(*AWAY):
            await asyncio.shield(_Server.pool.release(connection))


async def _nothing_to_reset(connection: Any) -> None:
    """Skip asyncpg's reset of a connection that returns to the pool: all settings end with the transaction anyway."""


def _options(role: str | None) -> dict[str, str]:
    """Return the PostgreSQL settings of each connection. With `role`, the connection switches to that role."""
    options = {"application_name": "portal", "jit": "off", "statement_timeout": "20s", "lock_timeout": "5s",
               "idle_in_transaction_session_timeout": "60s", "timezone": "UTC"}  # fmt: skip
    return options | ({"role": role} if role else {})


async def start(dsn: str, *, role: str | None = None, size: int = 10) -> None:
    """Open the pool of at most `size` connections to the database URL `dsn`.

    `role` is the role to which each connection switches. It is needed if the URL connects as the owner of the tables,
    as in the demo and the tests.
    """
    _Server.dsn = dsn
    _Server.pool = await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        server_settings=_options(role),
        reset=_nothing_to_reset,
        timeout=ACQUIRE_SECONDS,
        command_timeout=30,
        statement_cache_size=STATEMENTS,
        max_cached_statement_lifetime=0,
    )


async def stop() -> None:
    """Close the pool; after two seconds, terminate connections that are still in use. Do nothing without a pool."""
    if _Server.pool is not None:
        pool, _Server.pool = _Server.pool, None
        try:
            await asyncio.wait_for(pool.close(), 2)
        except TimeoutError:
            pool.terminate()


async def listener_connection() -> Any:
    """Return a connection for LISTEN that is not in the pool. The caller closes it."""
    return await asyncpg.connect(
        _Server.dsn, timeout=ACQUIRE_SECONDS, server_settings={"application_name": "portal live"}
    )


def run_script(sql: str) -> Hook:
    """Return a migration step that runs an SQL script on the connection of the migration."""

    async def run() -> None:
        await current().connection.execute(sql)

    return run
