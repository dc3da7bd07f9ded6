"""Read one row through a Piccolo query, and write rows whose columns are given by name.

Piccolo's own `insert` names every column of the table and sends one statement with one parameter per value. These
functions name only the given columns, which a role with fewer rights needs, and send any number of rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from piccolo.query import Objects
from piccolo.query.functions.aggregate import Max
from piccolo.table import Table

from portal.database import current
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


async def next_position(table: Any) -> int:
    """Return the position for a new last row of a table whose column `position` orders its rows."""
    last = await table.select(Max(table.position)).first()
    return int(last["max"] or 0) + 1


class Endable:
    """Base of table classes whose rows are taken out of use but never deleted, because other rows refer to them.

    `end` takes a row out of use, and `resume` puts it back into use. `ended_at` is None while the row can be used.
    """

    id: Any
    ended_at: Any

    async def end(self, at: datetime) -> None:
        """Set `ended_at`, so that the row can no longer be chosen. If the row has ended before, nothing changes."""
        table: Any = type(self)
        await table.update({table.ended_at: at}).where(table.id == self.id, table.ended_at.is_null())

    async def resume(self) -> None:
        """Set `ended_at` to None, so that the row can be chosen again."""
        table: Any = type(self)
        await table.update({table.ended_at: None}).where(table.id == self.id)


async def insert_one(table: type[Table], row: Mapping[str, Any], *, returning: str) -> Any:
    """Insert one row, given as values by column name, and return the value of its column `returning`."""
    return (await _inserted(table, row, returning))[returning]


async def insert_whole(table: type[Table], row: Mapping[str, Any]) -> dict[str, Any]:
    """Insert one row, given as values by column name, and return all its columns, including those that have a default."""
    return dict(await _inserted(table, row, "*"))


async def _inserted(table: type[Table], row: Mapping[str, Any], returning: str) -> Any:
    sql = f"{_insert_into(table, row)} returning {returning}"
    return await current().fetchrow(sql, *row.values())


AT_ONCE = 500
"""The maximum number of rows that are encoded for the database before the event loop may do something else."""


async def insert_all(table: type[Table], rows: Sequence[Mapping[str, Any]], *, returning: str = "") -> list[Any]:
    """Insert rows, each given as values by column name. One statement inserts up to `AT_ONCE` rows.

    Columns that hold arrays are not supported, because each column is sent as one array of its values. Raise
    `ValueError` if the rows do not all name the same columns; the order of the columns does not matter. Return the
    columns `returning` of the new rows, or an empty list without `returning`.
    """
    inserted = list[Any]()
    if not rows:
        return inserted
    columns = list(rows[0])
    if any(row.keys() != rows[0].keys() for row in rows):
        raise ValueError(f"The rows for {table._meta.tablename} name different columns.")
    types = [table._meta.get_column_by_name(column).column_type for column in columns]
    arrays = ", ".join(f"${place}::{type}[]" for place, type in enumerate(types, 1))
    sql = f"insert into {table._meta.tablename} ({', '.join(columns)}) select * from unnest({arrays})"  # noqa: S608
    sql += f" returning {returning}" if returning else ""
    for begin in range(0, len(rows), AT_ONCE):
        some = rows[begin : begin + AT_ONCE]
        inserted += await current().fetch(sql, *([row[column] for row in some] for column in columns))
    return inserted


def _insert_into(table: type[Table], columns: Iterable[str]) -> str:
    """Return the SQL that inserts these columns. Raise `ValueError` for a column that the table class does not have."""
    names = list(columns)
    for name in names:
        table._meta.get_column_by_name(name)
    places = ", ".join(f"${place}" for place in range(1, len(names) + 1))
    return f"insert into {table._meta.tablename} ({', '.join(names)}) values ({places})"  # noqa: S608
