"""Options of a choice. They hold a few values instead of a whole row, because a list may offer hundreds of them."""

from typing import NamedTuple

from portal.database import current


class Offered(NamedTuple):
    """Describe an option: its id and its label."""

    id: int
    name: str


class Known(NamedTuple):
    """Describe an option of a filter, which also offers who or what has ended; the label then says so."""

    id: int
    name: str
    has_ended: bool


async def offered(query: str, *values: int) -> list[Offered]:
    """Return the rows (id, name) of a query with these parameters as options."""
    return [Offered(*row) for row in await current().fetch(query, *values)]


async def known(query: str) -> list[Known]:
    """Return the rows (id, name, has ended) of a query as options of a filter."""
    return [Known(id, f"{name} (ended)" if ended else name, ended) for id, name, ended in await current().fetch(query)]
