"""Read one page of a list, such as the contacts of a customer sorted by name (R81)."""

from collections.abc import Sequence
from typing import Any, Self

from portal.database import current

SIZE = 100
"""The maximum number of rows on one page."""
LAST = 100_000
"""The highest number of a page. A higher number in a URL counts as this number."""


class Page(list[Any]):
    """The rows of one page of a list.

    `number` counts the pages from 1. `total` is the number of rows on all pages, `before` the number of rows on the
    pages before this one.
    """

    def __init__(self, rows: Sequence[Any], number: int, total: int) -> None:
        super().__init__(rows)
        self.number = number
        self.total = total
        self.before = (number - 1) * SIZE

    @classmethod
    def cut(cls, rows: Sequence[Any], number: int | None = None) -> Self:
        """Return the page `number` of rows that are all in memory; the first page if there is no such page."""
        wanted = min(max(number or 1, 1), LAST)
        shown = rows[(wanted - 1) * SIZE : wanted * SIZE]
        return cls(shown, wanted, len(rows)) if shown or wanted == 1 else cls.cut(rows)

    def links(self, address: str) -> dict[str, Any]:
        """Return the variables of the template `shared/_pages.html`, whose links append a page number to `address`."""
        rest = self.total - self.number * SIZE
        return {
            "first": self.before + 1,
            "last": self.before + len(self),
            "total": self.total,
            "previous": f"{address}{self.number - 1}" if self.number > 1 else None,
            "next": f"{address}{self.number + 1}" if rest > 0 else None,
            "next_count": min(SIZE, rest),
        }


async def page_of(sql: str, *values: object, number: int | None = None) -> Page:
    """Return a page of the rows of a sorted query. `number` is the number of the page, from a URL.

    The query ends with `limit {SIZE} offset $n`, where `$n` is the parameter after `values`, and has a column `total`,
    which is `count(*) over ()`. Return the first page if `number` is None or there is no such page.
    """
    wanted = min(max(number or 1, 1), LAST)
    rows = await current().fetch(sql, *values, (wanted - 1) * SIZE)
    if not rows and wanted > 1:
        return await page_of(sql, *values)
    return Page(rows, wanted, rows[0]["total"] if rows else 0)
