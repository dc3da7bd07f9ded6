"""Test that contacts ask about an entry of an invoice, and that a manager answers by an explanation or a credit.

A question about time that is not billed yet sets a flag, so that no run bills the time before the answer.
"""

import asyncio
import re
from typing import Any

import asyncpg
import pytest

from portal import billing
from portal.billing import Chosen, Invoice, Statement
from portal.billing.locks import lock_customers
from portal.contracts.contracts import Contract
from portal.contracts.services import Service, ServiceFacts
from portal.database import transaction
from portal.desk import Case
from portal.errors import Conflict, Invalid, NotFound
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.work import NOVEMBER, log
from tests.browser import Browser
from tests.world import ACME, ACME_CONTRACT, ADA, ALAN, GIL, HELPDESK, INCIDENT, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")


async def invoiced(**options: Any) -> Invoice:
    """Issue an invoice of Acme for an hour and for half an hour of work, and return it."""
    async with transaction(MAX):
        entries = [await log(60, comment="Router in Kiel", **options), await log(30, comment="Switch")]
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        return await billing.issue(run.draft_ids[0], by=MAX, at=NOW)


async def ask(invoice: Invoice, position: int = 1, text: str = "What was that?") -> int:
    async with transaction(ADA):
        return await billing.ask_about_entry(await billing.time_on_invoice(invoice, position), text, by=ADA, at=NOW)


async def open_ones() -> int:
    async with transaction(SYSTEM) as tx:
        assert await billing.violations() == {}
        return int(await tx.fetchval("select count(*) from entry_question where ended_at is null"))


async def test_a_question_is_a_message_in_the_case_of_the_work_or_in_a_new_one() -> None:
    """A question about time on a case is a reply on that case; a question about other time opens a new case.

    The reply names the time, and the subject of the new case names the invoice.
    """
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="Router", text="It drops.", case_type_id=INCIDENT, at=NOW)
    async with transaction(NOOR) as tx:
        await tx.execute("update case_type set for_contacts = false where position = 1")
    invoice = await invoiced(case_id=case.id)
    assert await ask(invoice, 1) == case.number
    other = await ask(invoice, 2)
    assert other != case.number
    async with transaction(SYSTEM) as tx:
        text = await tx.fetchval("select text from message order by id desc limit 1 offset 1")
        assert text.startswith("About 1")
        assert f"on invoice {invoice.number}: “Router in Kiel”" in text
        assert text.endswith("What was that?")
        assert (
            await tx.fetchval("select subject from cases where number = $1", other)
            == f"Question about invoice {invoice.number}"
        )
    assert await open_ones() == 2


async def test_an_entry_has_one_open_question() -> None:
    """R94: of two questions that are asked about an entry at once, one is stored. While it is open, another is refused.

    A question about a row that the invoice does not have, or a question without a text, is refused too.
    """
    invoice = await invoiced()

    async def try_it() -> str:
        try:
            await ask(invoice)
        except Exception as error:
            return type(error).__name__
        return "asked"

    told = await asyncio.gather(try_it(), try_it())
    assert told.count("asked") == 1
    with pytest.raises(Conflict, match="open question"):
        await ask(invoice)
    for position in (9, 0, -1, 2**31, 10**30):
        with pytest.raises(NotFound):
            await ask(invoice, position)
    with pytest.raises(Invalid):
        await ask(invoice, 2, " ")
    assert await open_ones() == 1
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from cases") == 1


async def test_a_question_locks_the_customer_before_the_case() -> None:
    """R94: a question locks its customer before its case, so that it cannot deadlock with a billing run."""
    async with transaction(ADA):
        case = await Case.open(by=ADA, subject="Router", text="It drops.", case_type_id=INCIDENT, at=NOW)
    invoice = await invoiced(case_id=case.id)
    locked = asyncio.Event()

    async def late() -> int:
        await locked.wait()
        return await ask(invoice)

    asking = asyncio.create_task(late())
    async with transaction(MAX) as tx:
        await lock_customers([ACME])
        locked.set()
        for _ in range(200):
            if await tx.fetchval("select count(*) from pg_locks where not granted"):
                break
            await asyncio.sleep(0.02)
        assert await tx.fetchval("select id from cases where id = $1 for no key update nowait", case.id)
    assert await asking == case.number


async def test_the_database_refuses_a_question_about_time_of_another_customer() -> None:
    """R23: the database refuses Gil's question about an entry of Acme.

    An entry can have only one open question, so Gil's question would prevent Acme's contacts from asking.
    """
    invoice = await invoiced()
    async with transaction(MAX):
        entry = (await billing.contents_of(invoice)).detail[0].entry_id
    insert = "insert into entry_question (customer_id, entry_id, case_number, asked_at) values ($1, $2, 1001, $3)"
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        async with transaction(GIL) as tx:
            await tx.execute(insert, GIL.customer_id, entry, NOW)
    await ask(invoice)
    assert await open_ones() == 1


async def test_a_question_ends_in_a_credit_of_its_time_or_in_an_explanation() -> None:
    """D39: a credit note for an entry's time ends the question about the entry; other questions stay open.

    The ended question names the credit note. Max ends another question by an explanation, after which Ada can ask
    again.
    """
    invoice = await invoiced()
    await ask(invoice, 1)
    await ask(invoice, 2)
    async with transaction(MAX):
        note = await billing.issue_credit(
            invoice, Chosen(minutes={1: 60}), reason="Not yours.", freed=False, by=MAX, at=NOW
        )
        found = await billing.questions_of(invoice)
        assert [(row["minutes"], row["credit_number"]) for row in found] == [(30, None), (60, note.number)]
        for _ in range(2):
            await billing.explain_entry(found[0]["id"], by=MAX, at=NOW)
        with pytest.raises(NotFound):
            await billing.explain_entry(4711, by=MAX, at=NOW)
    assert await open_ones() == 0
    await ask(invoice, 2)
    assert await open_ones() == 1


async def test_contacts_ask_from_the_page_of_their_invoice(app: Gate) -> None:
    """Ada asks on the page of her invoice, which then links to the case; Max sees the question and ends it.

    Alan, who may not see invoices, and Gil of another customer get 404 for the form; a question without a text gets
    422. Once Alan may see invoices, but not the cases of others, he reads the number of the case without a link.
    """
    invoice = await invoiced()
    path = f"/invoices/{invoice.number}"
    form = f"{path}/questions/1"
    async with await Browser.of(app, ADA, at=NOW) as browser:
        assert f'href="{form}"' in (await browser.get(path)).text
        assert (await browser.send_form(form, {"body": ""})).status_code == 422
        sent = await browser.send_form(form, {"body": "What was that?"})
        assert sent.status_code == 303
        assert "What was that?" in (await browser.get(sent.headers["location"])).text
        page = (await browser.get(path)).text
        assert (f'href="{form}"' in page, f'href="{sent.headers["location"]}"' in page) == (False, True)
        again = await browser.send_form(form, {"body": "Again?"})
        assert (again.status_code, "Again?" in again.text, "open question" in again.text) == (409, True, True)
    for reader in (ALAN, GIL):
        async with await Browser.of(app, reader, at=NOW) as browser:
            assert (await browser.get(form)).status_code == 404
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set sees_invoices = true, sees_all_cases = false where id = $1", ALAN.id)
    async with await Browser.of(app, ALAN, at=NOW) as browser:
        page = (await browser.get(path)).text
        assert (f"#{sent.headers['location'].rpartition('/')[2]}</p>" in page, sent.headers["location"] in page) == (
            True,
            False,
        )
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get(f"/agent{path}")).text
        assert "Questions about it" in page
        [ending] = re.findall(r'action="(/agent/questions/\d+/ending)"', page)
        assert (await browser.send_form(ending)).status_code == 303
        assert "; explained" in (await browser.get(f"/agent{path}")).text
    async with await Browser.of(app, INES, at=NOW) as browser:
        assert (await browser.post(ending, data={"csrf": await browser.csrf()})).status_code == 403
    async with transaction(ADA):
        case = await Case.find(int(sent.headers["location"].rpartition("/")[2]), ADA)
        assert case.subject == f"Question about invoice {invoice.number}"


async def test_time_that_is_not_billed_yet_is_flagged_until_its_question_is_explained(app: Gate) -> None:
    """C3: time that Ada asks about on her page of hours is flagged, and not billed until Max ends her question.

    He ends it by explaining the entry or by lifting the flag. Gil of another customer and Alan, who sees only his own
    cases, get 404, and so does a question about time that is not approved.
    """
    async with transaction(MAX):
        entry, waiting = await log(60, comment="Router in Kiel"), await log(30, comment="Switch")
        await billing.approve([entry.choice], by=MAX, at=NOW)
    form = f"/hours/entries/{entry.id}/question"
    for reader in (ALAN, GIL):
        async with await Browser.of(app, reader, at=NOW) as browser:
            assert (await browser.get(form)).status_code == 404
    async with await Browser.of(app, ADA, at=NOW) as browser:
        assert (await browser.get(f"/hours/entries/{waiting.id}/question")).status_code == 404
        hours = f"/hours/services/{HELPDESK}?on=2026-10-31"
        page = (await browser.get(hours)).text
        assert (f'href="{form}"' in page, "Switch" in page, "1:00" in page) == (True, False, True)
        sent = await browser.send_form(form, {"body": "Which router?"})
        assert sent.status_code == 303
        assert "under “Helpdesk”: “Router in Kiel”" in (await browser.get(sent.headers["location"])).text
        assert "Asked in" in (await browser.get(hours)).text
    async with transaction(MAX) as tx:
        assert await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW) is None
        [refused] = (await billing.flag([entry.choice], question="Why?", by=MAX, at=NOW)).refused
        assert "The customer has flagged it already" in refused.sentence
        question = await tx.fetchval("select id from entry_question")
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert "The customer asks" in (await browser.get(f"/agent/time/{entry.id}")).text
    async with transaction(MAX) as tx:
        for _ in range(2):
            await billing.explain_entry(question, by=MAX, at=NOW)
        assert await tx.fetchval("select lifted_by_id from flag") == MAX.id
    async with transaction(ADA):
        await billing.ask_about_entry(await billing.time_in_hours(entry.id, ADA), "Really?", by=ADA, at=NOW)
    async with transaction(MAX) as tx:
        await billing.lift(await tx.fetchval("select id from flag where lifted_at is null"), by=MAX, at=NOW)
    assert await open_ones() == 0
    async with transaction(MAX):
        assert len((await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)).draft_ids) == 1


async def test_a_question_flags_time_again_when_a_managers_own_flag_is_lifted() -> None:
    """C3: if Ada asks about time that Max has flagged, the time is flagged for her question once he lifts his flag."""
    async with transaction(MAX):
        entry = await log(60)
        await billing.approve([entry.choice], by=MAX, at=NOW)
        await billing.flag([entry.choice], question="Why?", by=MAX, at=NOW)
    async with transaction(ADA):
        await billing.ask_about_entry(await billing.time_in_hours(entry.id, ADA), "Really?", by=ADA, at=NOW)
    async with transaction(MAX) as tx:
        for left in (1, 0):
            assert await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW) is None
            await billing.lift(await tx.fetchval("select id from flag where lifted_at is null"), by=MAX, at=NOW)
            assert await tx.fetchval("select count(*) from flag where lifted_at is null") == left
    assert await open_ones() == 0


async def test_a_question_about_time_on_a_draft_follows_it_onto_the_invoice() -> None:
    """A question about time on a draft sets no flag; draft and invoice show the question; a credit of the invoice ends it."""
    async with transaction(MAX):
        entry = await log(60)
        await billing.approve([entry.choice], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
    async with transaction(ADA):
        await billing.ask_about_entry(await billing.time_in_hours(entry.id, ADA), "Really?", by=ADA, at=NOW)
    async with transaction(MAX) as tx:
        assert await tx.fetchval("select count(*) from flag") == 0
        assert len(await billing.questions_of(await Invoice.find_draft(run.draft_ids[0], MAX))) == 1
        invoice = await billing.issue(run.draft_ids[0], by=MAX, at=NOW)
        [question] = await billing.questions_of(invoice)
        assert (question["entry_id"], question["minutes"]) == (entry.id, 60)
    with pytest.raises(Conflict):
        await ask(invoice, 1)
    async with transaction(MAX):
        await billing.issue_credit(invoice, Chosen(minutes={1: 60}), reason="Agreed.", freed=False, by=MAX, at=NOW)
    assert await open_ones() == 0


@pytest.mark.parametrize("way", ["the draft is deleted", "the entry is taken off", "approved again"])
async def test_time_of_which_a_question_is_open_is_flagged_once_it_is_free(way: str) -> None:
    """C3: time with an open question is flagged when it leaves its draft or is approved again, so that no run bills it."""
    async with transaction(MAX):
        entry, other = await log(60), await log(30)
        await billing.approve([entry.choice, other.choice], by=MAX, at=NOW)
        [draft] = (await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)).draft_ids
        if way == "approved again":
            invoice = await billing.issue(draft, by=MAX, at=NOW)
            await billing.issue_credit(invoice, Chosen(everything=True), reason="Wrong.", freed=True, by=MAX, at=NOW)
            await billing.withdraw(entry.id, by=MAX, at=NOW)
    async with transaction(ADA):
        about = (
            await billing.time_on_invoice(invoice, 1)
            if way == "approved again"
            else await billing.time_in_hours(entry.id, ADA)
        )
        assert about.entry_id == entry.id
        await billing.ask_about_entry(about, "Really?", by=ADA, at=NOW)
    async with transaction(MAX) as tx:
        assert await tx.fetchval("select count(*) from flag") == 0
        if way == "the draft is deleted":
            await billing.delete_draft(draft, by=MAX, at=NOW)
        elif way == "approved again":
            version = await tx.fetchval("select version from time_entry where id = $1", entry.id)
            await billing.approve([billing.Choice(entry.id, version)], by=MAX, at=NOW)
        else:
            await billing.take_off(draft, entry.id, by=MAX, at=NOW)
            await billing.delete_draft(draft, by=MAX, at=NOW)
        flagged = await tx.fetch("select entry_id, question_id is null as ours from flag where lifted_at is null")
        assert [tuple(row) for row in flagged] == [(entry.id, False)]
        assert await billing.violations() == {}
        [draft] = (await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)).draft_ids
        assert (await Invoice.find_draft(draft, MAX)).net == 60  # half an hour
        question = await tx.fetchval("select id from entry_question")
        await billing.explain_entry(question, by=MAX, at=NOW)
        assert len((await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)).draft_ids) == 1
        assert await billing.violations() == {}


async def test_time_that_a_credit_frees_is_not_flagged_because_the_credit_ends_its_question() -> None:
    """D39: a credit note for the time ends Ada's question, so that the freed time is not flagged."""
    invoice = await invoiced()
    await ask(invoice, 1)
    async with transaction(MAX) as tx:
        await billing.issue_credit(invoice, Chosen(everything=True), reason="Agreed.", freed=True, by=MAX, at=NOW)
        assert await tx.fetchval("select count(*) from flag") == 0
        assert await billing.violations() == {}
    assert await open_ones() == 0


async def test_an_explanation_lifts_only_the_flag_of_its_question() -> None:
    """R94: Max's explanation lifts only the flag of Ada's question, not a flag that Noor sets at the same time."""
    async with transaction(MAX):
        entry = await log(60)
        await billing.approve([entry.choice], by=MAX, at=NOW)
    async with transaction(ADA):
        await billing.ask_about_entry(await billing.time_in_hours(entry.id, ADA), "Really?", by=ADA, at=NOW)
    async with transaction(SYSTEM) as tx:
        question = await tx.fetchval("select id from entry_question")
    locked = asyncio.Event()

    async def explain() -> None:
        await locked.wait()
        async with transaction(MAX):
            await billing.explain_entry(question, by=MAX, at=NOW)

    explaining = asyncio.create_task(explain())
    async with transaction(NOOR) as tx:
        await tx.execute("lock table flag in share row exclusive mode")
        locked.set()
        for _ in range(200):
            if explaining.done() or await tx.fetchval("select count(*) from pg_locks where not granted"):
                break
            await asyncio.sleep(0.02)
        await billing.lift(await tx.fetchval("select id from flag where lifted_at is null"), by=NOOR, at=NOW)
        await billing.flag([entry.choice], question="Which router?", by=NOOR, at=NOW)
    await explaining
    async with transaction(MAX) as tx:
        assert await tx.fetchval("select array_agg(flagged_by_id) from flag where lifted_at is null") == [NOOR.id]


async def test_covered_time_is_asked_about_and_credited_back_to_its_period(app: Gate) -> None:
    """D39: a question about included time on an invoice ends with a credit note of 0.00 that gives the minutes back.

    A question about time on a statement ends with an explanation or with a correction of the statement.
    """
    async with transaction(MAX):
        facts = ServiceFacts(
            name="Care", settlement="subscription", fee="50", included="10h", effective_start="2026-10-01"
        )
        plan = (await Service.create(await Contract.find(ACME_CONTRACT, SYSTEM), facts, NOW)).id
        entry = await log(90, service=plan, customer=ACME)
        await billing.approve([entry.choice], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        invoice = await billing.issue(run.draft_ids[0], by=MAX, at=NOW)
        later = await log(30, service=plan, customer=ACME)
        await billing.approve([later.choice], by=MAX, at=NOW)
        [statement] = (await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)).statement_ids
    async with await Browser.of(app, ADA, at=NOW) as browser:
        for path in (f"/invoices/{invoice.number}", f"/statements/{statement}"):
            form = f"{path}/questions/1"
            assert f'href="{form}"' in (await browser.get(path)).text
            assert (await browser.send_form(form, {"body": ""})).status_code == 422
            assert (await browser.send_form(form, {"body": "What was that?"})).status_code == 303
            assert "Asked in" in (await browser.get(path)).text
        assert (await browser.get(f"/statements/{statement}/questions/9")).status_code == 404
    async with await Browser.of(app, GIL, at=NOW) as browser:
        assert (await browser.get(f"/statements/{statement}/questions/1")).status_code == 404
    async with transaction(MAX) as tx:
        pool = "select coalesce(sum(minutes), 0)::int from allocation where pool_service_id = $1"
        assert await tx.fetchval(pool, plan) == 120
        note = await billing.issue_credit(
            invoice, Chosen(minutes={1: 90}), reason="Agreed.", freed=False, by=MAX, at=NOW
        )
        assert (note.gross, await tx.fetchval(pool, plan)) == (0, 30)
    assert await open_ones() == 1
    async with await Browser.of(app, MAX, at=NOW) as browser:
        path = f"/agent/statements/{statement}"
        page = (await browser.get(path)).text
        assert f'href="{path}/correction?entry={later.id}"' in page
        [ending] = re.findall(r'action="(/agent/questions/\d+/ending)"', page)
        sent = await browser.send_form(ending, referer=f"https://{browser.base_url.host}{path}")
        assert sent.status_code == 303
        assert "; explained" in (await browser.get(path)).text
    assert await open_ones() == 0
    async with transaction(ADA):
        again = await billing.time_on_statement(await Statement.find(statement, ADA), 1)
        await billing.ask_about_entry(again, "Really?", by=ADA, at=NOW)
    async with transaction(MAX) as tx:
        found = await Statement.find(statement, MAX)
        made = await billing.correct_statement(
            found, Chosen(minutes={1: 30}), reason="Agreed.", freed=False, by=MAX, at=NOW
        )
        assert {row["correction_id"] for row in await billing.questions_of(found)} == {None, made.id}
        assert await tx.fetchval(pool, plan) == 0
    assert await open_ones() == 0
