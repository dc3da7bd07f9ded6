"""Test corrections of statements, which list time that is not charged.

A correction is a second statement, which names the first and gives back time of the first.
"""

import asyncio
import uuid
from datetime import date
from typing import Any

import asyncpg
import pytest

from portal import billing, notices
from portal.billing import Chosen, Statement, correct_statement
from portal.database import current, transaction
from portal.errors import Conflict, Forbidden, Invalid
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.test_prepaid_persistence import PLAN, VOUCHER, a_voucher, approved, billed, pieces
from tests.billing.work import Logged, a_service, states
from tests.browser import Browser, text_of
from tests.forms import form_of
from tests.world import ACME, ACME_CONTRACT, ADA, ALAN, GIL, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")


async def a_statement(minutes: int = 60) -> tuple[Statement, Logged, int]:
    """Bill an entry that a voucher of 10 hours pays for; return the statement, the entry and the voucher's id."""
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
    """D30, D38, D40: correcting a statement gives its hour back to the voucher; the next run makes a new statement."""
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


async def test_an_approval_can_be_withdrawn_only_once_all_time_of_its_entry_is_given_back() -> None:
    """C2, D39: after 20 of a statement's 60 minutes are given back, the entry's approval cannot be withdrawn yet.

    The approval can be withdrawn once the other 40 minutes are given back too. Then nothing is left to give back.
    """
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
    """R89: the audit log records who corrected a statement and why; it does not record statements that runs create."""
    async with transaction(MAX):
        await corrected((await a_statement())[0])
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        page = text_of((await noor.get("/agent/setup/changes?kind=documents")).text)
    assert (page.count("corrected a statement of"), "Logged twice." in page) == (1, True)


async def test_what_is_written_off_stays_settled_at_no_charge() -> None:
    """D40: if the time of a statement is given back and written off, the voucher gets its hours back.

    No run bills the entry again.
    """
    async with transaction(MAX):
        statement, entry, voucher = await a_statement()
        await corrected(statement, freed=False)
        assert await left(voucher) == 600
        assert await pieces(entry) == [("no_charge", 60, None)]
        assert await billing.run(date(2026, 11, 1), [ACME], by=MAX, at=NOW) is None
        assert await billing.violations() == {}


async def test_included_minutes_go_back_to_their_period() -> None:
    """D26, D40: when all 600 included minutes are used, a correction gives 30 of them back to their period.

    When 40 more minutes are approved later, 30 of them are included and 10 are charged.
    """
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
    """A correction is refused if it has no reason, gives back nothing, or gives back more time than is left.

    A correction by Ines, who is not a manager, and a correction of a correction are refused too.
    """
    async with transaction(MAX):
        statement, _, _ = await a_statement()
        for chosen, options, words in (
            (Chosen(minutes={1: 61}), {}, "Only 1:00 are left to give back"),
            (Chosen(minutes={2: 1}), {}, "given back already"),
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
    """D39: triggers refuse to give back minutes of another statement, or more minutes than are left."""
    async with transaction(MAX):
        statement, entry, _ = await a_statement()
        correction = await corrected(statement, Chosen(minutes={1: 10}))
        insert = "insert into corrected_time values ($1, $2, $3, 2, $4, 60, true)"
        for corrects in (statement.id, correction.id):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                async with transaction(MAX):
                    await current().execute(insert, ACME, correction.id, corrects, entry.id)


@pytest.mark.usefixtures("clock")
async def test_of_two_managers_at_once_the_second_sees_what_is_left_before_anything_more_is_given_back(
    app: Gate,
) -> None:
    """R94: if two managers give back time of a statement at once, the second gets 409 and a form for the minutes left.

    A form whose field `left`, the minutes that its page showed as left, is empty or outdated gets 409 too.
    """
    async with transaction(MAX):
        statement, _, _ = await a_statement()
    path = f"/agent/statements/{statement.id}/correction"
    typed = {"scope": "chosen", "minutes": "0:20", "reason": "Logged twice."}
    async with await Browser.of(app, MAX, at=NOW) as max_, await Browser.of(app, NOOR, at=NOW) as noor:
        forms = [form_of((await who.get(path)).text, path).fields for who in (max_, noor)]
        assert [form["left"] for form in forms] == [["60"], ["60"]]
        sent = await asyncio.gather(
            *(who.post(path, data=form | typed) for who, form in zip((max_, noor), forms, strict=True))
        )
        assert sorted(answer.status_code for answer in sent) == [303, 409]
        [late] = [answer.text for answer in sent if answer.status_code == 409]
        assert "given back in the meantime" in text_of(late)
        assert form_of(late, path).fields["left"] == ["40"]
        assert (await noor.send_form(path, typed | {"left": ""})).status_code == 409
        repeated = await asyncio.gather(*(max_.post(path, data=forms[0] | typed) for _ in range(2)))
        assert {answer.status_code for answer in repeated} <= {303, 409}
        assert (await noor.send_form(path, {"reason": "All of it.", "left": "40"})).status_code == 303
        assert (await max_.post(path, data=forms[0] | typed | {"form_key": str(uuid.uuid4())})).status_code == 409
    async with transaction(MAX):
        back = await current().fetch("select minutes from corrected_time order by minutes")
        assert [row["minutes"] for row in back] == [20, 40]
        assert await billing.violations() == {}


async def test_contacts_with_the_right_to_invoices_are_notified_of_a_correction_once(app: Gate) -> None:
    """S3.4: Ada gets a notice that names the corrected statement and the time given back, and links to the correction.

    Alan, who may not see invoices, and Gil of another customer get no notice.
    """
    async with transaction(MAX):
        correction = await corrected((await a_statement())[0], Chosen(minutes={1: 20}))
    async with transaction(SYSTEM):
        for _ in range(2):
            await notices.pass_on(NOW)
            await current().execute("update outbox set passed_on = false where kind = 'statement.corrected'")
        told = await current().fetch("select credential_id, mail from notice where kind = 'statement.corrected'")
        assert [tuple(row) for row in told] == [(ADA.credential_id, "at_once")]
    async with transaction(ADA, readonly=True):
        [told] = (await notices.inbox(ADA)).notices
        assert told.words.replace("\u00a0", " ") == (
            "The statement on “Support 2026” up to 1 Nov 2026 is corrected: 20 min given back"
        )
        assert told.place == f"/statements/{correction.id}"
    for other in (ALAN, GIL):
        async with transaction(other, readonly=True):
            assert (await notices.inbox(other)).notices == []
