"""Count the SQL statements that a block sends to the database, without BEGIN, COMMIT and savepoints.

The queries about array types that asyncpg sends once per connection are left out too, because the request in which they
are sent depends on the connection pool.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from portal import database

_CONTROL = re.compile(r"\s*(begin|commit|rollback|savepoint|release|set local)\b", re.IGNORECASE)
_OF_ASYNCPG = re.compile(
    r"\s*(SELECT\s+current_setting\('jit'\)|SELECT\s+set_config\('jit'|WITH RECURSIVE typeinfo_tree)"
)


@contextlib.contextmanager
def counted() -> Iterator[list[str]]:
    """Yield a list to which each SQL statement of the block is added, in the open transaction and in new ones."""
    statements: list[str] = []

    def note(query: Any) -> None:
        if not _CONTROL.match(query.query) and not _OF_ASYNCPG.match(query.query):
            statements.append(query.query)

    begin, release = database._begin, database._release

    async def begin_noted(reader: Any, readonly: bool) -> Any:
        tx = await begin(reader, readonly)
        tx.connection.add_query_logger(note)
        return tx

    async def release_noted(connection: Any) -> None:
        if not connection.is_closed():
            connection.remove_query_logger(note)
        await release(connection)

    running = database.engine.current_transaction.get()
    if running is not None:
        running.connection.add_query_logger(note)
    database._begin, database._release = begin_noted, release_noted
    try:
        yield statements
    finally:
        database._begin, database._release = begin, release
        if running is not None:
            running.connection.remove_query_logger(note)
