"""Find stored allocations that differ from what the engine computes, and periods that are overdrawn."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

from portal.billing.allocating import book
from portal.billing.allocating.allocations import computed, stored
from portal.billing.allocating.book import Book
from portal.billing.allocating.overdrawn import overdrawn
from portal.database import current

AT_ONCE = 50
"""The number of customers that are loaded together, so that memory does not grow with the number of all customers."""


async def differing() -> list[dict[str, Any]]:
    """Return the open entries whose stored allocations differ from the allocations that the engine computes (D21).

    An entry is returned as a dictionary with the ids `customer` and `entry`.
    """
    found = []
    async for of in _all_books():
        expected, (kept, _) = await computed([of]), await stored([of])
        wrong = [id for id in expected.keys() | kept.keys() if expected.get(id, []) != kept.get(id, [])]
        found += [{"customer": of.customer_id, "entry": id} for id in sorted(wrong)]
    return found


async def overdrawn_periods() -> list[dict[str, Any]]:
    """Return the periods from which more included minutes were drawn than the period has.

    A period is a dictionary with the id of the `customer`, the name of the `service` and the first day of the `period`.
    """
    return [
        {"customer": of.customer_id, "service": service, "period": start}
        async for of in _all_books()
        for service, start in overdrawn(of)
    ]


async def _all_books() -> AsyncIterator[Book]:
    rows = await current().fetch("select distinct customer_id from service order by 1")
    customers = [row["customer_id"] for row in rows]
    for begin in range(0, len(customers), AT_ONCE):
        for of in await book.load(customers[begin : begin + AT_ONCE], earliest=date.min):
            yield of
