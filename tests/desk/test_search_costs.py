"""Test that a search reads about as many cases as it finds, in a database with 20,000 cases."""

import pytest

from benchmarks.search import AGENT, CONTACT, RARE, fill
from portal.database import Transaction, transaction
from portal.desk.search import Asked, found_cases
from portal.desk.search.hits import MOST, of_text, queries_for
from portal.people.readers import Reader

_READ = """
select relname, seq_tup_read + idx_tup_fetch as rows from pg_stat_xact_user_tables where relname in ('cases', 'case_words')
"""
NEAR = 2 << 12
"""The maximum number of ids in the newest range X and the range before it."""


@pytest.fixture(autouse=True)
async def _filled(empty_dsn: str) -> None:
    await fill(empty_dsn, 20_000)


async def read(tx: Transaction, typed: str, reader: Reader) -> tuple[int, int, int]:
    """Search, and return how many cases are found, and how many rows of `case_words` and of `cases` were read for it."""
    before = dict(await tx.fetch(_READ))
    found = await found_cases(await Asked.read(typed, reader), reader)
    after = dict(await tx.fetch(_READ))
    words, cases = (after[table] - before.get(table, 0) for table in ("case_words", "cases"))
    return found.total, words, cases


async def test_a_search_for_a_rare_word_reads_the_cases_with_this_word_only() -> None:
    """Besides the found cases, fewer than 100 rows are read, with a common word, an unfinished one or a customer too."""
    async with transaction(AGENT, readonly=True) as tx:
        for typed in ("rareword", "nobody rareword", "rareword nobody", "nobody rarew", "halfword nobody rareword "):
            total, words, cases = await read(tx, typed, AGENT)
            assert total == RARE, typed
            assert words < RARE + 100, (typed, words)
            assert cases < RARE + 100, (typed, cases)
        for typed, expected in (("nothingatall", 0), ("nobody nothingatall", 0), ('"customer 7" rareword ', 0)):
            total, words, cases = await read(tx, typed, AGENT)
            assert (total, words, cases) == (expected, expected, 0), typed


async def test_the_index_is_not_asked_for_a_common_word_beside_a_rare_one() -> None:
    """The list of a common word in the index is as long as there are cases, so common words are checked on found rows."""
    for reader in (AGENT, CONTACT):
        async with transaction(reader, readonly=True):
            checked, *asked = await queries_for(await Asked.read("nobody rarew", reader), reader, of_text(reader))
            assert "nobody" in (checked or "")
            assert all("rarew" in (query or "") and "nobody" not in (query or "") for query in asked)
            checked, *asked = await queries_for(await Asked.read("nobody halfword", reader), reader, of_text(reader))
            assert checked is None
            assert all("nobody" in (query or "") for query in asked)


async def test_a_search_for_a_common_word_reads_the_newest_cases_only() -> None:
    """Of 20,000 cases, at most the newest 8,192 are read in the index and somewhat more than 1,000 of the table."""
    async with transaction(AGENT, readonly=True) as tx:
        for typed in ("nobody", "halfword nobody", "serv"):
            total, words, cases = await read(tx, typed, AGENT)
            assert total == MOST + 1, typed
            assert words <= NEAR, (typed, words)
            assert cases < MOST + 100, (typed, cases)


async def test_common_words_are_told_to_be_common_but_never_those_of_notes() -> None:
    """R23: a contact learns nothing about notes, although each case here has a note with the word."""
    async with transaction(CONTACT, readonly=True) as tx:
        asked = ["nobody", "Nnobody", "rareword", "nob:*", "Nnob:*", "rare:*"]
        assert await tx.fetchval("select common_lexemes($1)", asked) == ["nobody", "nob:*"]
