"""Test the finder, the type-ahead search of rows by a part of their name."""

import pytest

from portal.database import transaction
from portal.database.finder import SUGGESTED, Finder, choosable
from portal.people.agents import AGENTS, Agent
from portal.people.customers import CUSTOMERS
from portal.people.readers import SYSTEM
from tests.world import ACME, ADA, GLOBEX, INES, NOW

ROWS = Finder(
    "row",
    "select n as id, 'Row ' || n / 2 as name, n::text as about, n > 70 as is_last from generate_series(1, 75) as n",
)
"""A finder of 75 rows, two for each name. The rows with an id above 70 come last."""


async def test_every_word_has_to_be_in_the_name(dsn: str) -> None:
    async with transaction(INES, readonly=True):
        for typed, expected in (
            ("acme", [ACME]),
            ("  OBE gl ", [GLOBEX]),
            ("acme globex", []),
            ("%", []),
            ("_", []),
            ("", [ACME, GLOBEX]),
        ):
            found = await CUSTOMERS.suggest(typed)
            assert [row.id for row in found.rows] == expected, typed
            assert found.after is None


async def test_accents_and_capitals_do_not_matter(dsn: str) -> None:
    finder = Finder("office", "select 1::bigint as id, 'Büro Øst' as name, '' as about, false as is_last")
    async with transaction(INES, readonly=True):
        for typed in ("buro", "BÜRO ost", "øst"):
            assert (await finder.find(None, typed)).id == 1, typed
            assert (await finder.find(1, typed)).id == 1, typed


async def test_all_rows_are_reached_page_by_page_and_each_once(dsn: str) -> None:
    async with transaction(INES, readonly=True):
        after, seen = None, list[int]()
        for _ in range(4):
            rows, after = await ROWS.suggest("row", after)
            assert len(rows) <= SUGGESTED
            seen += [row.id for row in rows]
    assert after is None
    assert sorted(seen) == list(range(1, 76))
    assert seen[-5:] == [71, 72, 73, 74, 75]


async def test_a_reader_finds_no_more_than_on_other_pages(dsn: str) -> None:
    """R22: row-level security applies to the finder, so that a contact finds only their own customer."""
    async with transaction(ADA, readonly=True):
        assert [row.id for row in (await CUSTOMERS.suggest("")).rows] == [ACME]
        assert await CUSTOMERS.named(GLOBEX) is None
        assert (await CUSTOMERS.find(GLOBEX, None)).id is None


@pytest.mark.parametrize(
    ("id", "typed", "expected"),
    [
        (ACME, None, ACME), (ACME, "Acme", ACME), (ACME, "ac", ACME), (ACME, "Globex", GLOBEX), (ACME, "", None), (None, "acme", ACME),
        (None, " ACME ", ACME), (None, None, None), (999, None, None), (2**70, None, None), (999, "Globex", GLOBEX),
    ],
)  # fmt: skip
async def test_an_id_counts_while_its_name_contains_what_is_typed(
    dsn: str, id: int | None, typed: str | None, expected: int | None
) -> None:
    """A chosen id is used only if its name contains the typed text; otherwise the text is looked up.

    Without JavaScript, a form sends the id that was chosen earlier together with a text that was typed later.
    """
    async with transaction(INES, readonly=True):
        found = await CUSTOMERS.find(id, typed)
    assert (found.id, found.problem) == (expected, "")


async def test_a_text_that_matches_none_or_several_is_refused_with_a_reason(dsn: str) -> None:
    async with transaction(INES, readonly=True):
        none = await CUSTOMERS.find(None, "Initech\x00")
        several = await CUSTOMERS.find(None, "e")
        many = await ROWS.find(None, "row")
        twins = await ROWS.find(None, "row 35")
    assert none.problem == "There is no customer with “Initech” in its name."
    assert (several.id, [row.id for row in several.choices]) == (None, [ACME, GLOBEX])
    assert several.problem == "2 customers have “e” in their name: choose one."
    assert many.problem.startswith("More than 20 rows have “row”")
    assert [row.id for row in twins.choices] == [70, 71]


async def test_what_has_ended_comes_last_and_is_not_offered_for_new_things(dsn: str) -> None:
    async with transaction(SYSTEM):
        await (await Agent.find(INES.id)).end(NOW)
        known = (await AGENTS.suggest("")).rows
        assert (known[-1].id, known[-1].about) == (INES.id, "ended")
        assert INES.id not in [row.id for row in (await choosable(AGENTS).suggest("")).rows]
