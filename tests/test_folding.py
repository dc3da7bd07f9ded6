"""Test that PostgreSQL and Python fold words in the same way before comparing them."""

import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from asyncpg import Record

from portal.database import transaction
from portal.folding import folded
from portal.people.agents import Agent
from portal.people.contacts import Contact
from portal.people.customers import Customer
from portal.people.departments import Department
from portal.people.readers import SYSTEM
from portal.people.roles import Role
from portal.regions import countries
from tests.world import ACME

SAME = {
    "Ärzte": "arzte",
    "A\u0308rzte": "arzte",
    "Hafenstraße": "hafenstrasse",
    "ŁÓDŹ": "lodz",
    "Ørsted & Æble": "orsted & aeble",
    "Œuvre": "oeuvre",
    "ＡＢＣ": "abc",
    "Σίσυφος": "σισυφος",
    "Привет": "привет",
    "株式会社": "株式会社",
    "acme": "acme",
    "": "",
}


@pytest.mark.parametrize(("words", "expected"), SAME.items())
def test_accents_and_capital_letters_are_the_same(words: str, expected: str) -> None:
    assert folded(words) == expected


async def test_the_database_folds_the_same(dsn: str) -> None:
    async with transaction(SYSTEM) as tx:
        in_database = await tx.fetchval(
            "select array_agg(folded(word) order by place) from unnest($1::text[]) with ordinality w (word, place)", list(SAME)
        )  # fmt: skip
    assert in_database == list(SAME.values())


NAMES = ["alpha", "Ärzte am Hafen", "Éclair", "Zebra"]
"""Names in the alphabetical order that people expect. By code points, Zebra would come before Ärzte."""

LISTS: list[Callable[[], Awaitable[list[str]]]] = [
    lambda: names(Customer.offered()),
    lambda: names(Customer.listed()),
    lambda: names(Agent.offered()),
    lambda: names(Agent.listed()),
    lambda: names(Contact.listed(ACME)),
    lambda: names(Department.all_by_name()),
    lambda: names(Role.all_by_name()),
]


async def names(rows: Awaitable[Sequence[Any]]) -> list[str]:
    """Return the names that the query returns, in the order of the query, without names that are not in `NAMES`."""
    found = [row["name"] if isinstance(row, Record) else row.name for row in await rows]
    return [name for name in found if name in NAMES]


@pytest.mark.parametrize("listed", LISTS)
async def test_names_stand_where_people_look_for_them(dsn: str, listed: Callable[[], Awaitable[list[str]]]) -> None:
    async with transaction(SYSTEM) as tx:
        for sql in (
            "insert into customer (name, legal_name, street, postcode, city, country, created_at) select n, n, '', '', '', 'DE', now() from ",
            "insert into contact (name, customer_id, sees_all_cases, sees_invoices, manages_contacts, locale, time_zone, created_at)"
            " select n, 1, false, false, false, 'en_GB', 'UTC', now() from ",
            "insert into agent (name, grade, department_id, locale, time_zone, created_at) select n, 'agent', 1, 'en_GB', 'UTC', now() from ",
            "insert into department (name) select n from ",
            "insert into role (name) select n from ",
        ):
            await tx.execute(f"{sql} unnest($1::text[]) n", NAMES[::-1])
        for kind in ("agent", "contact"):
            await tx.execute(
                f"insert into credential (email, {kind}_id{', customer_id' if kind == 'contact' else ''}, created_at)"
                f" select '{kind}' || id || '@x.example', id{', 1' if kind == 'contact' else ''}, now() from {kind} where name = any($1)",
                NAMES,
            )
        assert await listed() == NAMES


def test_no_list_sorts_by_bare_names() -> None:
    """Every query that sorts by a name sorts by `folded(name)`, which ignores accents and capital letters."""
    found = [
        f"{path}: {line.strip()}"
        for path in Path("portal").rglob("*.py")
        for line in re.sub(r"folded\((\([^()]*\)|[^()])*\)", "", path.read_text()).splitlines()
        if re.search(r"order(_by\(| by )[^\"]*name\b", line)
        and path.name != "backup.py"  # These are the names of migrations.
    ]
    assert found == []


def test_countries_stand_where_people_look_for_them() -> None:
    names = list(countries().values())
    assert names.index("Åland Islands") < names.index("Albania")
    assert names.index("Côte d’Ivoire") < names.index("Croatia")
