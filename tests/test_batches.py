"""Test batches: a request for several objects changes or reports each object, whatever happens to the others."""

import re

import asyncpg
import pytest
from structlog.testing import capture_logs

from portal import billing
from portal.database import transaction
from portal.database.batches import GONE, Failed, all_or_report
from portal.errors import Conflict
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.work import NOVEMBER, a_case, log, states, tick
from tests.browser import Browser
from tests.faulty import refusing
from tests.world import ACME, GLOBEX, GLOBEX_HELPDESK, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("clock")

FAILED = Failed.default


async def drafts_of_two() -> tuple[int, int]:
    """Create a draft invoice for Acme and one for Globex, and return their ids."""
    async with transaction(MAX):
        entries = [await log(60), await log(30, service=GLOBEX_HELPDESK)]
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME, GLOBEX], by=MAX, at=NOW)
        assert run is not None
        first, second = run.draft_ids
        return first, second


async def test_a_member_that_fails_is_undone_and_reported_and_the_others_stay(dsn: str) -> None:
    """A member of a batch that is refused or fails is rolled back to its savepoint and reported; the others commit."""

    async def step(number: int) -> int:
        await tx.execute("update customer set street = street || $1 where id = $2", str(number), ACME)
        if number == 2:
            raise Conflict("Somebody was faster.")
        if number == 3:
            await tx.execute("select 1 / 0")
        return number * 10

    async with transaction(MAX) as tx:
        before = await tx.fetchval("select street from customer where id = $1", ACME)
        report = await all_or_report([1, 2, 3, 4], step, reader=MAX)
        assert report.done == {1: 10, 4: 40}
        assert {member: why.sentence for member, why in report.refused.items()} == {
            2: "Somebody was faster.",
            3: FAILED,
        }
        assert await tx.fetchval("select street from customer where id = $1", ACME) == f"{before}14"


async def test_of_several_drafts_one_that_breaks_keeps_no_other_from_being_issued(app: Gate, dsn: str) -> None:
    """If one of two drafts cannot be issued because of an unexpected error, the other is issued with the next number.

    An error message names the draft that failed, and the log contains the traceback. Issuing that draft again succeeds.
    """
    first, second = await drafts_of_two()
    async with await Browser.of(app, MAX, at=NOW) as browser:
        async with refusing(dsn, "document", f"new.invoice_id = {first}"):
            with capture_logs() as logged:
                ticks = [await tick(first), await tick(second)]
                answer = await browser.send_form("/agent/drafts/issue", {"draft": ticks})
        assert answer.status_code == 200
        assert FAILED in answer.text
        assert f"/agent/drafts/{first}" in answer.text
        assert "1\xa0invoice issued." in answer.text
        again = await browser.send_form("/agent/drafts/issue", {"draft": [await tick(first)]})
        assert again.status_code == 303
    assert [line["member"] for line in logged if line["event"] == "a member of a batch failed"] == [str(first)]
    async with transaction(SYSTEM) as tx:
        rows = await tx.fetch("select number, customer_id from invoice order by number")
        assert [tuple(row) for row in rows] == [("2026-0147", GLOBEX), ("2026-0148", ACME)]


async def test_a_member_that_is_gone_is_reported_by_name_without_a_link(app: Gate) -> None:
    """If a ticked draft invoice or case no longer exists, the error message names it but does not link to its page.

    This happens if somebody deletes a draft while the list of drafts is open in another browser.
    """
    first, _ = await drafts_of_two()
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get("/agent/invoices")).text
        ticks = re.findall(r'name="draft"\s+value="([^"]+)"', page)
        await browser.send_form(f"/agent/drafts/{first}/deletion")
        answer = await browser.send_form("/agent/drafts/issue", {"draft": ticks})
        assert f"Acme, Support 2026: {GONE}" in answer.text
        assert f"/agent/drafts/{first}" not in answer.text
        taken = await browser.send_form("/agent/cases/assignment?view=unassigned", {"case": ["9999"]})
        assert f"#9999: {GONE}" in taken.text


async def test_of_several_cases_one_that_breaks_keeps_no_other_from_being_taken(app: Gate, dsn: str) -> None:
    async with transaction(INES):
        numbers = [(await a_case())["number"] for _ in range(3)]
    async with await Browser.of(app, INES, at=NOW) as browser:
        async with refusing(dsn, "cases", f"new.number = {numbers[0]}"):
            answer = await browser.send_form("/agent/cases/assignment", {"case": [str(number) for number in numbers]})
        assert answer.status_code == 409
        assert f"#{numbers[0]}: {FAILED}" in answer.text
    async with transaction(SYSTEM) as tx:
        taken = await tx.fetch("select number from cases where agent_id = $1 order by number", INES.id)
        assert [row["number"] for row in taken] == numbers[1:]


async def test_of_several_entries_one_that_breaks_keeps_no_other_from_being_approved(dsn: str) -> None:
    """D35: if one customer's time cannot be allocated to what pays for it, none of that customer's entries is approved.

    The entries of other customers are approved. If only the approval of a single entry fails, all others are approved.
    """
    async with transaction(MAX):
        first, second, other = await log(60), await log(30), await log(15, service=GLOBEX_HELPDESK)
    choices = [first.choice, second.choice, other.choice]
    async with refusing(dsn, "allocation", f"new.customer_id = {ACME}"), transaction(MAX):
        outcome = await billing.approve(choices, by=MAX, at=NOW)
        assert outcome.done == (other.id,)
        assert {refused.entry_id: refused.sentence for refused in outcome.refused} == {
            first.id: FAILED,
            second.id: FAILED,
        }
        assert await states(first, second, other) == ["submitted", "submitted", "approved"]
    async with refusing(dsn, "approval", f"new.entry_id = {first.id}"), transaction(MAX):
        outcome = await billing.approve(choices[:2], by=MAX, at=NOW)
        assert (outcome.done, [refused.entry_id for refused in outcome.refused]) == ((second.id,), [first.id])
        assert await billing.violations() == {}


async def test_a_customer_whose_documents_break_keeps_no_other_from_being_billed(app: Gate, dsn: str) -> None:
    """If one customer's invoice cannot be stored, the run shows an error for that customer and bills the others.

    The next run bills the customer that failed.
    """
    async with transaction(MAX):
        entries = [await log(60), await log(30, service=GLOBEX_HELPDESK)]
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
    async with refusing(dsn, "invoice", f"new.customer_id = {ACME}"), transaction(MAX):
        run = await billing.run(NOVEMBER, [ACME, GLOBEX], by=MAX, at=NOW)
        assert run is not None
        assert len(run.draft_ids) == 1
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get(f"/agent/billing/runs/{run.id}")).text
        assert re.search(r"Could not be billed.*Acme.*" + re.escape(FAILED), page, re.S)
    async with transaction(MAX):
        again = await billing.run(NOVEMBER, [ACME, GLOBEX], by=MAX, at=NOW)
        assert again is not None
        assert len(again.draft_ids) == 1
        assert await billing.violations() == {}


async def test_a_customer_whose_books_break_is_recorded_as_skipped_whether_ticked_or_not(app: Gate, dsn: str) -> None:
    """If an approval of Globex has lost its price, a billing run of Globex alone bills nothing and says so on its page.

    A later run of Acme alone succeeds. That run records the entry of Globex as skipped, because Globex was not ticked.
    """
    async with transaction(MAX):
        entries = [await log(60), await log(30, service=GLOBEX_HELPDESK)]
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
    owner = await asyncpg.connect(dsn)
    try:
        await owner.execute("set session_replication_role = replica")
        await owner.execute(
            "update approval set hourly_rate = null, rate_source = null, rate_id = null where entry_id = $1",
            entries[1].id,
        )
    finally:
        await owner.close()
    async with await Browser.of(app, MAX, at=NOW) as browser:
        begun = await browser.send_form("/agent/billing/runs", {"until": "2026-11-01", "customer": str(GLOBEX)})
        assert begun.status_code == 303
        page = (await browser.get(begun.headers["location"])).text
        assert re.search(r"Not everything could be billed.*Globex.*" + re.escape(FAILED), page, re.S)
        assert re.search(r"Could not be billed.*Globex", page, re.S)
    async with transaction(MAX) as tx:
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        skipped = await tx.fetch("select entry_id, reason from skipped_entry where run_id = $1", run.id)
        assert [tuple(row) for row in skipped] == [(entries[1].id, "customer_unticked")]
