"""Fetch one row of a Piccolo query, and lock it if the caller is about to change it."""

from typing import TypeVar

from piccolo.query import Objects
from piccolo.table import Table

from portal.errors import NotFound

Row = TypeVar("Row", bound=Table)


async def one(query: Objects[Row], *, hold: bool = False) -> Row:
    """Return the first row of the query. Raise `NotFound` if there is none.

    `hold` locks the row, so that nobody else can change it until the transaction ends.
    """
    found: Row | None = await (query.lock_rows("NO KEY UPDATE") if hold else query).first()
    if found is None:
        raise NotFound
    return found
