"""Test that the Piccolo table classes describe the tables of the database."""

import re
from pathlib import Path

import pytest
from babel.core import get_global
from piccolo.columns import Column
from piccolo.table import Table

from portal.database import transaction
from portal.money import digits_of
from portal.people.readers import SYSTEM
from portal.piccolo_app import APP_CONFIG

TYPES = {
    "BIGSERIAL": "bigint",
    "CHAR(2)": "character(2)",
    "CHAR(3)": "character(3)",
    "CHAR(1)": "character(1)",
    "TIMESTAMPTZ": "timestamp with time zone",
    "JSONB": "jsonb",
}


TABLES = sorted(APP_CONFIG.table_classes, key=lambda table: table._meta.tablename)


def of_piccolo(column: Column) -> tuple[str, bool]:
    kind = column.column_type
    kind = TYPES.get(kind, kind.lower().replace(", ", ","))
    return kind, column._meta.null


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table._meta.tablename)
async def test_a_table_mirrors_the_database(table: type[Table], dsn: str) -> None:
    """A table class and its table have the same columns, types and nullability.

    Defaults are not compared, because Piccolo adds some of its own.
    """
    async with transaction(SYSTEM) as tx:
        rows = await tx.fetch(
            "select attname, format_type(atttypid, atttypmod) as kind, not attnotnull as nullable from pg_attribute"
            " where attrelid = to_regclass($1) and attnum > 0 and not attisdropped",
            table._meta.tablename,
        )
    in_database = {row["attname"]: (row["kind"], row["nullable"]) for row in rows}
    assert {column._meta.db_column_name: of_piccolo(column) for column in table._meta.columns} == in_database


def test_each_migration_has_an_id_of_its_own() -> None:
    """No two migrations have the same id; otherwise the second one would count as applied and never run."""
    folder = Path(__file__).parent.parent / "migrations"
    ids = [re.search(r'^ID = "(.+)"$', path.read_text(), re.M)[1] for path in folder.glob("m*.py")]  # type: ignore[index]
    assert sorted(set(ids)) == sorted(ids)


async def test_the_database_and_the_engine_know_the_same_decimals_of_every_currency(dsn: str) -> None:
    """The database and Python round amounts of every currency to the same number of decimals."""
    codes = sorted(get_global("all_currencies"))
    async with transaction(SYSTEM) as tx:
        digits = await tx.fetchval(
            "select array_agg(currency_digits(code) order by code) from unnest($1::text[]) code", codes
        )
    assert dict(zip(codes, digits, strict=True)) == {code: digits_of(code) for code in codes}
