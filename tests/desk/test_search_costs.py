"""Test that a search reads about as many cases as it finds, in a database with thousands of cases."""

from collections.abc import AsyncIterator

import pytest

from benchmarks.search import AGENT, CONTACT, RARE, fill
from portal.database import Transaction, transaction
from portal.desk.search import Asked, found_cases
from portal.desk.search.hits import MOST, of_text, queries_for
from portal.people.readers import Reader
from tests.conftest import in_use, new_database

_READ = """
select relname, seq_tup_read + idx_tup_fetch as rows from pg_stat_xact_user_tables where relname in ('cases', 'case_words')
"""
NEAR = 2 << 12
"""A search first reads the two newest ranges of 4,096 case ids, so the rows of at most this number of ids."""


async def read(tx: Transaction, typed: str, reader: Reader) -> tuple[int, int, int]:
    """Search, and return how many cases are found, and how many rows of `case_words` and of `cases` were read for it."""
    before = dict(await tx.fetch(_READ))
    found = await found_cases(await Asked.read(typed, reader), reader)
    after = dict(await tx.fetch(_READ))
    words, cases = (after[table] - before.get(table, 0) for table in ("case_words", "cases"))
    return found.total, words, cases


@pytest.fixture(scope="module")
async def filled(server: str, template: str) -> AsyncIterator[str]:
    """Fill a database with the 12,000 cases of the benchmark for all tests here, and yield its URL."""
    async with new_database(server, template) as dsn:
        await fill(dsn, 12_000)
        yield dsn


@pytest.fixture(autouse=True)
async def _connected(filled: str) -> AsyncIterator[None]:
    """Connect to the filled database. The tests only read."""
    async with in_use(filled):
        yield


async def test_a_search_reads_hardly_more_cases_than_it_finds() -> None:
    """A search for a rare word reads fewer than 100 rows more than the number of cases that it finds.

    This also holds if the word is half typed or beside common words. A search that finds nothing reads nothing. A
    search for common words stops at 1,001 cases; it reads at most 8,192 of 12,000 index rows and under 1,100 cases.
    """
    async with transaction(AGENT, readonly=True) as tx:
        for typed in ("rareword", "nobody rareword", "rareword nobody", "nobody rarew", "halfword nobody rareword "):
            total, words, cases = await read(tx, typed, AGENT)
            assert total == RARE, typed
            assert words < RARE + 100, (typed, words)
            assert cases < RARE + 100, (typed, cases)
        for typed, expected in (("nothingatall", 0), ("nobody nothingatall", 0), ('"customer 7" rareword ', 0)):
            total, words, cases = await read(tx, typed, AGENT)
            assert (total, words, cases) == (expected, expected, 0), typed
        for typed in ("nobody", "halfword nobody", "serv"):
            total, words, cases = await read(tx, typed, AGENT)
            assert total == MOST + 1, typed
            assert words <= NEAR, (typed, words)
            assert cases < MOST + 100, (typed, cases)


async def test_the_index_is_not_asked_for_a_common_word_beside_a_rare_one() -> None:
    """If a search has a common and a rare word, only the rare word is looked up in the index.

    The index would return nearly every case for the common word. Therefore, the rows with the rare word are checked for
    the common word. If all words of a search are common, all are looked up in the index.

    R23: the database tells a contact that a word is common in replies, but not that it is common in notes.
    """
    for reader in (AGENT, CONTACT):
        async with transaction(reader, readonly=True):
            checked, *asked = await queries_for(await Asked.read("nobody rarew", reader), reader, of_text(reader))
            assert "nobody" in (checked or "")
            assert all("rarew" in (query or "") and "nobody" not in (query or "") for query in asked)
            checked, *asked = await queries_for(await Asked.read("nobody reach", reader), reader, of_text(reader))
            assert checked is None
            assert all("nobody" in (query or "") for query in asked)
    async with transaction(CONTACT, readonly=True) as tx:
        asked = ["nobody", "Nnobody", "rareword", "nob:*", "Nnob:*", "rare:*"]
        assert await tx.fetchval("select common_lexemes($1)", asked) == ["nobody", "nob:*"]
