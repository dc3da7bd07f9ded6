"""Options of select fields. Each option is an id and a label, not a whole row, because a field may have hundreds."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from piccolo.query import OrderByRaw, Select

SELECTABLE = 100
"""The maximum number of people in a select field. If there are more, the form has a search field instead."""


class Offered(NamedTuple):
    """One option of a select field: id and label."""

    id: int
    name: str


class Known(NamedTuple):
    """One option of a filter: id and label.

    Filters also offer people who have left and customers that have ended; then `has_ended` is True, and the label ends
    with "(ended)".
    """

    id: int
    name: str
    has_ended: bool


async def offered(query: Select[Any]) -> list[Offered]:
    """Return the rows of `query`, which has the columns `id` and `name`, as options sorted by name."""
    return [Offered(**row) for row in await query.order_by(OrderByRaw("folded(name), id"))]


async def few(query: Select[Any]) -> list[Offered] | None:
    """Return the options as `offered` does, or None if there are more than `SELECTABLE`."""
    found = await offered(query.limit(SELECTABLE + 1))
    return found if len(found) <= SELECTABLE else None


async def known(query: Select[Any]) -> list[Known]:
    """Return the rows of `query`, which has the columns `id`, `name` and `ended_at`, as options of a filter.

    The options are sorted by name; people and customers that have ended come after all others.
    """
    return [
        Known(row["id"], f"{row['name']} (ended)" if row["ended_at"] else row["name"], row["ended_at"] is not None)
        for row in await query.order_by(OrderByRaw("ended_at is not null, folded(name), id"))
    ]


def without(id: int, rows: list[Offered] | None) -> list[Offered] | None:
    """Return the options in `rows` without the one that has this id.

    Return None if `rows` is None, because there are too many options for a select field.
    """
    return None if rows is None else [row for row in rows if row.id != id]


def choices(rows: Iterable[Any]) -> list[tuple[int, str]]:
    """Return `(id, label)` pairs, the options of a select field, from rows with the attributes `id` and `name`."""
    return [(row.id, row.name) for row in rows]


def with_stored(options: Iterable[tuple[int, str]], stored: int | None, words: str | None) -> list[tuple[int, str]]:
    """Return the options of a select field, with the stored value as the first option if it is no longer offered.

    So saving the form keeps the stored value. `words` is the label of the stored value. If nothing is stored, `stored`
    and `words` are None.
    """
    offered = list(options)
    if stored is None or any(value == stored for value, _ in offered):
        return offered
    return [(stored, words or str(stored)), *offered]
