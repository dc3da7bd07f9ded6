"""Count several things at once: each package returns its counts as SQL queries, and one query fetches all the numbers."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from portal.database import current


class Counting(NamedTuple):
    """A query that returns one number or one text, and its parameters, which are numbered from `$1`."""

    sql: str
    values: tuple[Any, ...] = ()


async def count_all(countings: Mapping[str, Counting]) -> dict[str, Any]:
    """Run the queries as parts of one query, and return the result of each by its name."""
    columns, values = [], list[Any]()
    for sql, given in countings.values():
        columns.append(f"({_numbered(sql, len(values))})")
        values += given
    row = await current().fetchrow("select " + ", ".join(columns), *values)
    return dict(zip(countings, row.values(), strict=True))


def _numbered(sql: str, after: int) -> str:
    """Return the query with its parameters numbered from `after` + 1."""
    return re.sub(r"\$(\d+)", lambda number: f"${int(number[1]) + after}", sql)
