"""Options of select fields. Each holds an id and a label instead of a whole row, because a field may have hundreds."""

from typing import NamedTuple

from portal.database import current


class Offered(NamedTuple):
    """One option of a select field: id and label."""

    id: int
    name: str


class Known(NamedTuple):
    """One option of a filter.

    Filters also offer people who have left and customers that have ended; their label says so.
    """

    id: int
    name: str
    has_ended: bool


async def offered(query: str, *values: int | str) -> list[Offered]:
    """Return the rows (id, name) of an SQL query with these parameters as options."""
    return [Offered(*row) for row in await current().fetch(query, *values)]


async def known(query: str) -> list[Known]:
    """Return the rows (id, name, has ended) of an SQL query as options of a filter."""
    return [Known(id, f"{name} (ended)" if ended else name, ended) for id, name, ended in await current().fetch(query)]
