"""What a choice offers of a person or a customer: two values, not a whole row, since lists offer hundreds of them."""

from typing import NamedTuple

from portal.database import current


class Offered(NamedTuple):
    """An id and what to call it."""

    id: int
    name: str


async def offered(query: str, *values: int) -> list[Offered]:
    """Return the rows (id, name) of a query with these parameters."""
    return [Offered(*row) for row in await current().fetch(query, *values)]
