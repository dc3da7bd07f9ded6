"""Test that forms refuse numbers that are malformed or out of range, and that searches are limited (R50)."""

import pytest

from portal.database import transaction
from portal.desk import Case
from portal.desk.lists.questions import LONGEST_TEXT, MOST_WORDS, Question
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.browser import Browser
from tests.checksums import checksums
from tests.forms import send
from tests.test_permissions import READING
from tests.world import ACME, ACME_CONTRACT, ADA, INCIDENT, INES, NOOR, NOW

NONE = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e309",
    "-0.01",
    "1" + "0" * 30,
    "１２０",
    "0x78",
    "1_000",
    "1,2,3",
    "١٢",
    "--1",
    "1/2",
    "½",
)
"""Texts that every field for a number refuses."""


@pytest.mark.parametrize("typed", NONE)
async def test_no_rate_is_made_of_what_is_no_amount(app: Gate, dsn: str, typed: str) -> None:
    """R50: a malformed hourly rate is refused with 422, the field shows it as Noor typed it, and nothing changes."""
    async with await Browser.of(app, NOOR) as noor:
        page = await noor.get("/agent/setup/rates")
        before = await checksums(dsn, READING)
        answer = await send(
            noor, page, "/agent/setup/rates", hourly_rate=typed, effective_from="2030-01-01", customer_id=str(ACME)
        )
        assert answer.status_code == 422
        assert f'value="{typed}"' in answer.text
        assert await checksums(dsn, READING) == before


@pytest.mark.parametrize("typed", [*NONE[:-1], "0", "25h", "1441", "99999999999999999999h", "1h 99999m"])
async def test_no_time_is_logged_of_what_is_no_duration(app: Gate, dsn: str, typed: str) -> None:
    """R50: a duration that is malformed, zero or over 24 hours is refused with 422, and Ines's time is not stored.

    Only the unsent text that she typed may be kept.
    """
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="VPN", text="It drops.", case_type_id=INCIDENT, at=NOW)
    path = "/agent/time/new"
    async with await Browser.of(app, INES) as ines:
        page = await ines.get(f"{path}?on=case-{case.number}")
        but_the_draft = (*READING, "draft")
        before = await checksums(dsn, but_the_draft)
        answer = await send(ines, page, path, duration=typed, external_comment="Looked at it")
        assert answer.status_code == 422
        assert await checksums(dsn, but_the_draft) == before


@pytest.mark.parametrize("typed", ["NaN", "1e309", "-1", "１e９", "101"])
@pytest.mark.parametrize("field", ["vat_rate", "payment_days"])
async def test_no_contract_is_changed_by_what_is_no_number(app: Gate, dsn: str, field: str, typed: str) -> None:
    """R50: a malformed number in a contract's form changes nothing."""
    if field == "payment_days" and typed == "101":
        return
    path = f"/agent/customers/{ACME}/contracts/{ACME_CONTRACT}"
    async with await Browser.of(app, NOOR) as noor:
        page = await noor.get(path)
        before = await checksums(dsn, READING)
        answer = await send(noor, page, path, **{field: typed})
        assert answer.status_code == 422
        assert await checksums(dsn, READING) == before


async def test_a_search_is_cut_to_what_can_be_searched_and_every_query_has_its_time(dsn: str) -> None:
    """R52, R81: a search text is cut to a maximum of characters and of words, and a page number is at most 10,000.

    Each transaction has a statement timeout of 20 s and a lock timeout of 5 s, for every kind of reader.
    """
    asked = Question.read([("text", "%_\\ " * 10_000), ("page", "9" * 9)])
    assert len(asked.text) == LONGEST_TEXT
    conditions, values = Question.read([("text", " ".join("abcdefghijklmnopqrstuvwxyz"))]).conditions(INES)
    assert len(values) == MOST_WORDS
    assert conditions.count("folded($") == 3 * MOST_WORDS, "each word in subject, contact and customer"
    assert asked.page == 10_000
    for reader in (None, ADA, INES, SYSTEM):
        async with transaction(reader) as tx:
            assert await tx.fetchval("show statement_timeout") == "20s"
            assert await tx.fetchval("show lock_timeout") == "5s"


@pytest.mark.parametrize(
    "text", ["(a+)+$" * 30, "a" * 5_000 + "!", "\\" * 199, "%" * 199, "_" * 199, "((((((((((" * 19]
)
async def test_a_search_for_what_would_hang_a_pattern_is_answered(app: Gate, text: str) -> None:
    """R48, R52: the wildcard characters of SQL patterns are literal in a search, so that no search can hang."""
    async with await Browser.of(app, INES) as ines:
        assert (await ines.get("/agent/cases", params={"view": "all", "text": text})).status_code == 200
        assert (await ines.get("/agent/customers", params={"text": text})).status_code == 200
