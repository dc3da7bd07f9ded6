"""Checksums of the tables, with which a test can show that nothing in the database has changed."""

import re
from collections.abc import Sequence

from tests import owner


async def checksums(dsn: str, leave_out: Sequence[str] = ()) -> dict[str, str]:
    """Return a checksum of the rows of each table, by the table's name.

    `dsn` is the owner's URL, because the owner sees every row. `leave_out` names tables, columns as `table.column`, or
    rows as `table where column = 'value'`, that are left out of the checksums.
    """
    assert all(re.fullmatch(r"\w+(\.\w+| where \w+ = '[\w.]+')?", one) for one in leave_out)
    found = {}
    async with owner.connected(dsn) as connection:
        tables = await connection.fetch(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
        )
        for name in sorted(row["relname"] for row in tables if row["relname"] not in leave_out):
            columns = [one.partition(".")[2] for one in leave_out if one.startswith(f"{name}.")]
            rows = [one.partition(" where ")[2] for one in leave_out if one.startswith(f"{name} where ")]
            row = "to_jsonb(t)" + "".join(f" - '{column}'" for column in columns)
            found[name] = await connection.fetchval(
                f"select md5(coalesce(string_agg(({row})::text, chr(10) order by ({row})::text), '')) from \"{name}\" t"
                f" where {' and '.join(f'not ({one})' for one in rows) or 'true'}"
            )
    return found
