"""What a choice offers of a person or a customer: two values, not a whole row, since lists offer hundreds of them."""

from typing import NamedTuple

from portal.database import current


class Offered(NamedTuple):
    """An id and what to call it."""

    id: int
    name: str


class Known(NamedTuple):
    """The same in a filter, which also offers who has ended, and calls them so."""

    id: int
    name: str
    has_ended: bool


async def offered(query: str, *values: int) -> list[Offered]:
    """Return the rows (id, name) of a query with these parameters."""
    return [Offered(*row) for row in await current().fetch(query, *values)]


async def known(query: str) -> list[Known]:
    """Return the rows (id, name, whether they have ended) of a query."""
    return [Known(id, f"{name} (ended)" if ended else name, ended) for id, name, ended in await current().fetch(query)]
