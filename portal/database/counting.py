"""Count several things at once: each room describes its counts, and one query fetches those of all rooms."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from portal.database import current


class Counting(NamedTuple):
    """A query that returns one number, and its parameters, which are numbered from `$1`."""

    sql: str
    values: tuple[Any, ...] = ()


async def count_all(countings: Mapping[str, Counting]) -> dict[str, int]:
    """Return the numbers that the queries return, by name, read by one query."""
    columns, values = [], list[Any]()
    for sql, given in countings.values():
        columns.append(f"({_numbered(sql, len(values))})")
        values += given
    row = await current().fetchrow("select " + ", ".join(columns), *values)
    return dict(zip(countings, row.values(), strict=True))


def _numbered(sql: str, after: int) -> str:
    """Return the query with its parameters numbered from `after` + 1."""
    return re.sub(r"\$(\d+)", lambda number: f"${int(number[1]) + after}", sql)
