"""Test that a statement is corrected by a further one that names it, as a credit note corrects an invoice."""

import uuid
from datetime import date
from typing import Any

import asyncpg
import pytest

from portal import billing
from portal.billing import Chosen, Statement, correct_statement
from portal.database import current, transaction
from portal.errors import Conflict, Forbidden, Invalid
from portal.web.gate import Gate
from tests.billing.test_prepaid_persistence import PLAN, VOUCHER, a_voucher, approved, billed, pieces
from tests.billing.work import Logged, a_service, states
from tests.browser import Browser, text_of
from tests.world import ACME, ACME_CONTRACT, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")


async def a_statement(minutes: int = 60) -> tuple[Statement, Logged, int]:
    """Bill time that a voucher of 10 hours covers, and return the statement, the entry and the voucher."""
    care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
    voucher = await a_voucher(care, sold_elsewhere="yes")
    (entry,) = await approved(minutes, service=care)
    run = await billed()
    return await Statement.find(run.statement_ids[0], MAX), entry, voucher


async def corrected(statement: Statement, chosen: Chosen = Chosen(everything=True), **options: Any) -> Statement:  # noqa: B008
    asked = {"reason": "Logged twice.", "freed": True, "by": MAX, "at": NOW} | options
    return await correct_statement(statement, chosen, **asked)


async def left(voucher: int) -> int:
    return int(await current().fetchval(
        "select v.minutes - coalesce(sum(m.minutes), 0) from voucher v left join voucher_move m on m.voucher_id = v.id"
        " where v.id = $1 group by v.id", voucher,
    ))  # fmt: skip


async def test_a_correction_names_the_statement_and_gives_its_hours_back() -> None:
    """D30, D38, D40: the hour is back on the voucher, the entry is open, and the next run makes a new statement of it."""
    async with transaction(MAX):
        statement, entry, voucher = await a_statement()
        assert await left(voucher) == 540
        correction = await corrected(statement)
        assert (correction.corrects_id, correction.contract_id, correction.run_id) == (
            statement.id,
            statement.contract_id,
            None,
        )
        assert [row.minutes for row in await billing.detail_of(statement_id=correction.id)] == [60]
        assert [one.id for one in await statement.related()] == [correction.id]
        assert [one.id for one in await correction.related()] == [statement.id]
        assert await left(voucher) == 600
        assert await pieces(entry) == [("voucher", 60, str(voucher))]
        assert await billing.violations() == {}
        again = await billed()
        assert [row.minutes for row in await billing.detail_of(statement_id=again.statement_ids[0])] == [60]
        assert await billing.violations() == {}


async def test_what_is_given_back_can_be_withdrawn_and_what_is_not_cannot() -> None:
    """C2, D39: of 60 minutes 20 go back; the entry stays locked until all of it is given back."""
    async with transaction(MAX):
        statement, entry, voucher = await a_statement()
        await corrected(statement, Chosen(minutes={1: 20}))
        assert await left(voucher) == 560
        with pytest.raises(Conflict, match=r"on a statement, which stays as it is\. Correct it"):
            await billing.withdraw(entry.id, by=MAX, at=NOW)
        await corrected(statement, Chosen(minutes={1: 40}))
        await billing.withdraw(entry.id, by=MAX, at=NOW)
        assert await states(entry) == ["submitted"]
        assert await billing.violations() == {}
        with pytest.raises(Invalid, match="given back already"):
            await corrected(statement)


@pytest.mark.usefixtures("clock")
async def test_changes_say_who_corrected_a_statement_and_why(app: Gate) -> None:
    """R89: the statements of runs are not among them."""
    async with transaction(MAX):
        await corrected((await a_statement())[0])
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        page = text_of((await noor.get("/agent/setup/changes?kind=documents")).text)
    assert (page.count("corrected a statement of"), "Logged twice." in page) == (1, True)


async def test_what_is_written_off_stays_settled_at_no_charge() -> None:
    """D40: written off, the hours go back to the voucher, but no run bills the entry again."""
    async with transaction(MAX):
        statement, entry, voucher = await a_statement()
        await corrected(statement, freed=False)
        assert await left(voucher) == 600
        assert await pieces(entry) == [("no_charge", 60, None)]
        assert await billing.run(date(2026, 11, 1), [ACME], by=MAX, at=NOW) is None
        assert await billing.violations() == {}


async def test_included_minutes_go_back_to_their_period() -> None:
    """D26, D40: 600 included minutes were used up; once 30 are given back, 30 minutes approved late are included."""
    async with transaction(MAX):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN | {"fee": 0})
        await approved(600, service=plan)
        statement = await Statement.find((await billed()).statement_ids[0], MAX)
        await corrected(statement, Chosen(minutes={1: 30}), freed=False)
        (late,) = await approved(40, service=plan)
        assert await pieces(late) == [("included", 30, "2026-10-01"), ("charged", 10, None)]
        assert await billing.violations() == {}


async def test_the_same_form_again_makes_no_second_correction() -> None:
    async with transaction(MAX):
        statement, _, _ = await a_statement()
        key = uuid.uuid4()
        first = await corrected(statement, Chosen(minutes={1: 20}), form_key=key)
        assert (await corrected(statement, Chosen(minutes={1: 20}), form_key=key)).id == first.id
        assert await current().fetchval("select sum(minutes) from corrected_time") == 20


async def test_what_is_refused_changes_nothing() -> None:
    """A correction needs a reason, time that is left, and a manager; it cannot be corrected itself."""
    async with transaction(MAX):
        statement, _, _ = await a_statement()
        for chosen, options, words in (
            (Chosen(minutes={1: 61}), {}, "Only 1:00 are left"),
            (Chosen(minutes={2: 1}), {}, "credited already"),
            (Chosen(), {}, "Choose what is given back"),
            (Chosen(everything=True), {"reason": " "}, "Say why"),
        ):
            with pytest.raises(Invalid, match=words):
                await corrected(statement, chosen, **options)
        with pytest.raises(Forbidden):
            await corrected(statement, by=INES)
        assert await current().fetchval("select count(*) from corrected_time") == 0
        correction = await corrected(statement, Chosen(minutes={1: 10}))
        with pytest.raises(Conflict, match="correct that one"):
            await corrected(correction)


async def test_the_database_gives_back_no_more_than_the_statement_has() -> None:
    """D39: a correction of another statement, and one of more minutes than are left, are refused by triggers."""
    async with transaction(MAX):
        statement, entry, _ = await a_statement()
        correction = await corrected(statement, Chosen(minutes={1: 10}))
        insert = "insert into corrected_time values ($1, $2, $3, 2, $4, 60, true)"
        for corrects in (statement.id, correction.id):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                async with transaction(MAX):
                    await current().execute(insert, ACME, correction.id, corrects, entry.id)
