"""Test the largest sum of a document: an approval beyond it is refused, and a larger document does not block others."""

from decimal import Decimal

import pytest

from portal import billing
from portal.billing.bounds import RunningTotals
from portal.billing.engine import BillingState, Entry, EntryBilling, Price, RateSource
from portal.contracts.contracts import Contract
from portal.contracts.services import Service, ServiceFacts
from portal.database import transaction
from portal.errors import Conflict
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.test_engine import CONTRACT, entry
from tests.billing.work import NOVEMBER, OCTOBER, log, states
from tests.browser import Browser
from tests.world import ACME, ACME_CONTRACT, GLOBEX, GLOBEX_HELPDESK, MAX, NOW

MOST = Decimal("99999999.9999")
"""The maximum hourly rate. 24 hours at this rate cost 2,399,999,999.9976."""

pytestmark = pytest.mark.usefixtures("dsn")


@pytest.mark.slow
async def test_what_is_more_than_a_document_can_hold_is_refused_at_its_approval_and_the_rest_is_billed() -> None:
    """Only 350 of 430 entries of 24 h at the maximum rate are approved: one document can hold no more with tax.

    Globex's entry in the same batch is approved too, both customers are billed, and the other 80 can then be approved.
    """
    async with transaction(MAX):
        entries = [await log(1440, hourly_rate=MOST) for _ in range(430)]
        other = await log(60, service=GLOBEX_HELPDESK)
        outcome = await billing.approve([each.choice for each in (*entries, other)], by=MAX, at=NOW)
        assert (len(outcome.done), len(outcome.refused)) == (351, 80)
        assert other.id in outcome.done
        (sentence,) = {refused.sentence for refused in outcome.refused}
        assert sentence.endswith(
            "has more to bill than one document can hold. Bill what is approved first, or check the rate."
        )
        preview = await billing.preview_run(NOVEMBER)
        assert {document.customer_id for document in preview.documents} == {ACME, GLOBEX}
        run = await billing.run(NOVEMBER, [ACME, GLOBEX], by=MAX, at=NOW)
        assert run is not None
        first = await billing.Invoice.find_draft(run.draft_ids[0], MAX)
        assert first.gross == Decimal(999600000000)
        rest = await billing.approve([each.choice for each in entries[-80:]], by=MAX, at=NOW)
        assert (len(rest.done), rest.refused) == (80, ())
        assert await billing.violations() == {}


async def test_a_tax_that_rises_after_the_approval_leaves_one_document_out_and_bills_all_others() -> None:
    """If Acme's VAT rate rises after the approval, so that its document is too large, preview and run skip that document.

    Globex is billed. A run for Acme alone creates no document and reports why.
    """
    async with transaction(MAX) as tx:
        entries = [await log(1440, hourly_rate=MOST, counted=2880) for _ in range(170)]
        other = await log(60, service=GLOBEX_HELPDESK)
        await billing.approve([each.choice for each in (*entries, other)], by=MAX, at=NOW)
        await tx.execute("update contract set vat_rate = 100 where id = $1", ACME_CONTRACT)
        preview = await billing.preview_run(NOVEMBER)
        assert [document.customer_id for document in preview.documents] == [GLOBEX]
        (omitted,) = preview.omitted
        assert (omitted.reason, omitted.count, omitted.first) == ("too_large", 170, OCTOBER)
        alone = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert alone is not None
        assert (alone.draft_ids, alone.statement_ids) == ((), ())
        (refused,) = (await billing.find_run(alone.id, MAX, {})).refused.rows
        assert (refused["customer_id"], refused["sentence"]) == (
            ACME,
            "“Support 2026” has more due than one document can hold.",
        )
        run = await billing.run(NOVEMBER, [ACME, GLOBEX], by=MAX, at=NOW)
        assert run is not None
        assert len(run.draft_ids) == 1
        skipped = await tx.fetch("select distinct reason from skipped_entry where run_id = $1", run.id)
        assert [row["reason"] for row in skipped] == ["too_large"]
        assert set(await states(*entries)) == {"approved"}
        assert await billing.violations() == {}


async def test_a_draft_whose_rest_became_too_large_is_kept_as_it_is() -> None:
    async with transaction(MAX) as tx:
        entries = [await log(1440, hourly_rate=MOST, counted=2880) for _ in range(170)]
        await billing.approve([each.choice for each in entries], by=MAX, at=NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        await tx.execute("update contract set vat_rate = 100 where id = $1", ACME_CONTRACT)
        with pytest.raises(Conflict, match="more than one document can hold"):
            async with transaction(MAX):
                await billing.take_off(run.draft_ids[0], entries[0].id, by=MAX, at=NOW)
        assert await tx.fetchval("select count(*) from settled_entry where invoice_id = $1", run.draft_ids[0]) == 170


async def test_the_total_to_bill_of_a_contract_counts_tax_and_every_approved_entry() -> None:
    """`can_add` allows an entry only if everything that the contract has to bill, with tax, still fits on one document.

    Entries that are approved already are part of the total. Time at no charge adds nothing to the total.
    """
    price = Price(Decimal("500000000000"), RateSource.ENTRY)
    one, two = (entry(id, billable_minutes=60) for id in (1, 2))
    free: Entry = entry(3, billing=EntryBilling.NO_CHARGE)
    totals = RunningTotals(BillingState((CONTRACT,), entries=(one, two, free)), {})
    assert totals.can_add(one, price)
    totals.add(free, None)
    totals.add(one, price)
    assert totals.can_add(free, None)
    assert not totals.can_add(two, price)
    assert not RunningTotals(BillingState((CONTRACT,), entries=(one, two), approved={1: price}), {}).can_add(two, price)


async def test_a_document_may_have_more_lines_than_a_small_integer_counts() -> None:
    """An invoice can have more than 32,767 lines: the positions of lines are stored as integers, not smallints."""
    async with transaction(MAX) as tx:
        rows = await tx.fetch(
            "select table_name, data_type from information_schema.columns where (table_name, column_name) in"
            " (('invoice_line', 'position'), ('detail_row', 'position'), ('detail_row', 'line_position')) order by 1"
        )
    assert [tuple(row) for row in rows] == [("detail_row", "integer")] * 2 + [("invoice_line", "integer")]


async def test_fees_that_one_document_cannot_hold_are_named_with_their_contract() -> None:
    """If the fees of a contract are too high for one document, the preview and the run's page name the contract."""
    async with transaction(MAX) as tx:
        facts = ServiceFacts(name="Care", settlement="subscription", fee="900000000000", effective_start="2026-10-01")
        await Service.create(await Contract.find(ACME_CONTRACT, SYSTEM), facts, NOW)
        await tx.execute("update contract set vat_rate = 100 where id = $1", ACME_CONTRACT)
        preview = await billing.preview_run(NOVEMBER)
        assert [(row.customer_id, row.contract_name) for row in preview.too_large] == [(ACME, "Support 2026")]
        assert (preview.documents, preview.omitted) == ((), ())
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        [refused] = (await billing.find_run(run.id, MAX, {})).refused.rows
        assert "Support 2026" in refused["sentence"]


@pytest.mark.usefixtures("clock")
async def test_a_run_says_that_a_fee_of_0_makes_no_document_and_that_nothing_was_due(app: Gate) -> None:
    """D30: the page of a run says that a fee of 0.00 was billed without a document, or that nothing was due.

    A run that `begin_run` has stored is kept even if nothing was due.
    """
    async with transaction(MAX):
        facts = ServiceFacts(name="Care", settlement="subscription", fee="0", effective_start="2026-10-01")
        await Service.create(await Contract.find(ACME_CONTRACT, SYSTEM), facts, NOW)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        again = await billing.begin_run(NOVEMBER, [ACME], by=MAX, at=NOW)
    await billing.resume_run(again, NOW)
    async with await Browser.of(app, MAX, at=NOW) as browser:
        free = (await browser.get(f"/agent/billing/runs/{run.id}")).text
        assert "at 0.00" in free
        assert "where nothing is charged, there is no invoice" in free
        nothing = (await browser.get(f"/agent/billing/runs/{again}")).text
        assert "Nothing was due" in nothing
