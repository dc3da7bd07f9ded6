"""Test the running statement (used, pending and left time) and the figures (billed, unbilled) of services."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import billing
from portal.billing import Choice, Chosen, Figures, Standing
from portal.billing.usage.figures import Sum, added
from portal.contracts.vouchers import Voucher, VoucherChange
from portal.database import current, transaction
from portal.people.readers import SYSTEM
from portal.timekeeping.states import submit
from tests.billing.test_credits_persistence import credited
from tests.billing.test_prepaid_persistence import PLAN, VOUCHER, a_voucher, approved, billed
from tests.billing.work import a_service, log
from tests.world import ACME, ACME_CONTRACT, ADA, GIL, GLOBEX_HELPDESK, HELPDESK, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")

TODAY = date(2026, 11, 20)


async def standing(service: int, on: date = TODAY) -> Standing:
    found = await billing.standing_of(SYSTEM, service, on)
    assert found is not None
    return found


async def test_an_entry_counts_in_the_statement_at_once() -> None:
    """S2.3, S2.20: in a service's usage (`Standing`), logged time is pending at once, and used once it is approved.

    Time that is not billable, and time of another period, does not count.
    """
    async with transaction(MAX):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        entry = await log(90, service=plan, on=TODAY, state="draft")
        now = await standing(plan)
        assert (now.granted, now.used, now.pending, now.left) == (600, 0, 90, 600)
        await submit(MAX, [entry.id], at=NOW)
        assert (await standing(plan)).pending == 90
        await billing.approve([Choice(entry.id, 1)], by=NOOR, at=NOW)
        now = await standing(plan)
        assert (now.used, now.included, now.pending, now.left) == (90, 90, 0, 510)
        await log(60, service=plan, on=TODAY, billing="not_billable")
        await log(60, service=plan, on=date(2026, 10, 31))
        assert await standing(plan) == now, "neither time that is not billable nor that of another period counts"


async def test_the_statement_splits_time_by_what_pays_for_it() -> None:
    """S2.41, C8, D22: of 13 hours, 10 are included, 2 come from a voucher, and 1 is charged.

    Once the overflow of the service is `hold`, all 13 hours are held instead, and nothing is drawn.
    """
    async with transaction(MAX):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        await a_voucher(plan, hours="2h")
        await approved(780, service=plan, on=TODAY)
        now = await standing(plan)
        assert (now.included, now.from_vouchers, now.charged, now.left) == (600, 120, 60, 0)
        assert now.tone == "late"
        await current().execute("update service set overflow = 'hold' where id = $1", plan)
        async with billing.changing_terms(ACME):
            pass
        now = await standing(plan)
        assert (now.covered, now.held, now.left, now.waits_for_decision) == (0, 780, 720, True)


async def test_the_forecast_is_a_plain_projection() -> None:
    """Six hours in 12 of 30 days make 15 hours in the whole period: 5 more than the 10 that are included."""
    async with transaction(MAX):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        assert (await standing(plan)).forecast is None
        await approved(240, service=plan, on=date(2026, 11, 2))
        await log(120, service=plan, on=date(2026, 11, 3))
        forecast = (await standing(plan, date(2026, 11, 12))).forecast
        assert forecast is not None
        assert (forecast.so_far, forecast.elapsed, forecast.days) == (360, 12, 30)
        assert (forecast.minutes, forecast.beyond) == (900, 300)
        last = (await standing(plan, date(2026, 11, 30))).forecast
        assert last is not None
        assert (last.minutes, last.beyond) == (360, 0)


async def test_the_statement_of_a_first_period_has_only_its_share_of_the_minutes() -> None:
    """D26: a service that starts on 16 November is active on 15 of 30 days, so that 5 of the 10 hours are included."""
    async with transaction(MAX):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN | {"effective_start": date(2026, 11, 16)})
        assert (await standing(plan)).granted == 300
        assert (await standing(plan, date(2026, 10, 10))).granted == 0


async def test_what_is_left_of_an_expired_voucher_stays_visible_and_cannot_be_used() -> None:
    """D23: the usage of a service shows an expired voucher with its unused minutes, but does not count them as left."""
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER)
        old = await a_voucher(care, hours="3h")
        await a_voucher(care, hours="1h")
        await approved(30, service=care)
        voucher = await Voucher.find(old, SYSTEM)
        async with billing.changing_terms(ACME):
            await voucher.change(VoucherChange(label="Old", valid_until="2026-11-19", usable_once="sold"))
        now = await standing(care)
        assert {balance.voucher["label"]: (balance.state(TODAY), balance.left) for balance in now.vouchers} == {
            "Old": ("expired", 150),
            "Voucher 1 h": ("open", 60),
        }
        assert now.left == 60


async def test_a_contact_reads_sums_of_their_own_customer_and_no_single_entry() -> None:
    """R27, R28: Ada reads the statements of her customer's services; Gil, of another customer, reads none of them."""
    async with transaction(MAX):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        voucher = await a_voucher(plan, hours="2h")
        await approved(660, service=plan, on=TODAY)
    async with transaction(ADA):
        now = await billing.standing_of(ADA, plan, TODAY)
        assert now is not None
        assert (now.included, now.from_vouchers, now.left) == (600, 60, 60)
        assert [balance.voucher["id"] for balance in now.vouchers] == [voucher]
        assert await billing.standing_of(ADA, GLOBEX_HELPDESK, TODAY) is None
    async with transaction(GIL):
        assert await billing.standing_of(GIL, plan, TODAY) is None
        rows = await current().fetch("select * from used_minutes($1, $2, $3)", [plan], [TODAY], [NOW.date()])
        assert rows == []
        for view in ("voucher_use", "voucher_ledger", "voucher"):
            assert await current().fetch(f"select 1 from {view}") == []


async def figures(service: int = HELPDESK) -> Figures:
    return (await billing.figures_of([service]))[service]


async def test_after_a_run_unbilled_has_fallen_by_what_was_billed_last() -> None:
    """S4.20 to S4.26: what a run bills moves from the figure "unbilled" to "billed last", and the total stays.

    Worked out by hand at 120.00 an hour: 2:30 h are 300.00; 1:00 h at no charge counts as time and costs nothing.
    """
    async with transaction(MAX):
        await approved(150)
        await approved(60, billing="no_charge")
        before = await figures()
        assert (before.unbilled, before.billed, before.last) == (Sum(210, Decimal(300)), Sum(), Sum())
        await billed()
        after = await figures()
        assert after.last == Sum(210, Decimal(300))
        assert after.unbilled == Sum()
        assert before.unbilled.minutes - after.unbilled.minutes == after.last.minutes
        assert before.unbilled.amount - after.unbilled.amount == after.last.amount
        assert after.total == before.total
        await approved(30)
        await billed()
        assert (await figures()).last == Sum(30, Decimal(60)), "only the latest run counts"
        assert (await figures()).billed == Sum(240, Decimal(360))


async def test_deleting_a_draft_moves_its_figures_back() -> None:
    """S4.27: if a draft is deleted, the time that it had billed counts as unbilled again."""
    async with transaction(MAX):
        await approved(150)
        before = await figures()
        await billing.delete_draft((await billed()).draft_ids[0], by=MAX, at=NOW)
        assert await figures() == before


async def test_a_credit_note_moves_what_it_frees_back() -> None:
    """S4.27: half an hour that a credit note frees is unbilled again; half an hour written off stays billed at 0.00.

    Worked out by hand at 120.00 an hour: 60 min are 120.00, of which 30 min, 60.00, become free again.
    """
    async with transaction(MAX):
        await approved(60)
        invoice = await billing.issue((await billed()).draft_ids[0], by=MAX, at=NOW)
        before = await figures()
        assert before.billed == Sum(60, Decimal(120))
        await credited(invoice, Chosen(minutes={1: 30}))
        after = await figures()
        assert (after.billed, after.last, after.unbilled) == (
            Sum(30, Decimal(60)),
            Sum(30, Decimal(60)),
            Sum(30, Decimal(60)),
        )
        assert after.total == before.total
        await credited(invoice, Chosen(minutes={1: 30}), freed=False)
        assert (await figures()).billed == Sum(30), "the time stays billed, at no charge"
        assert (await figures()).unbilled == after.unbilled


async def test_held_time_is_unbilled_without_revenue() -> None:
    """S4.24, C8: held minutes count as unbilled, but with an amount of 0."""
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", **VOUCHER | {"overflow": "hold"})
        await approved(60, service=care)
        found = await figures(care)
        assert (found.unbilled, found.held) == (Sum(60), 60)


async def test_the_figures_of_a_contract_are_those_of_its_services() -> None:
    """S4.22, S4.23: the figures of a contract are sums over its services; "billed last" has only the latest run."""
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care")
        await approved(60)
        await billed()
        await approved(30, service=care)
        await billed()
        await approved(15)
        whole = added((await billing.figures_of([HELPDESK, care])).values())
        assert whole.total == Sum(105, Decimal(210))
        assert whole.last == Sum(30, Decimal(60))
        assert whole.unbilled == Sum(15, Decimal(30))
        assert await billing.figures_of([]) == {}


def summed(rows: Iterable[Any]) -> Sum:
    return sum(
        (Sum(row["minutes"], row["amount"] if row["kind"] == "charged" else Decimal(0)) for row in rows), start=Sum()
    )


STEPS = st.lists(
    st.tuples(st.sampled_from(["approve", "bill", "free", "delete"]), st.integers(1, 200)), min_size=1, max_size=12
)


@given(STEPS)
async def test_the_figures_equal_a_recomputation(steps: list[tuple[str, int]]) -> None:
    """C6, D48: after any approvals, runs and deleted drafts, the figures equal sums over the stored allocations.

    "Billed" sums the allocations of settled time, "unbilled" sums the others, and "total" sums all.
    """
    async with transaction(MAX) as tx:
        await tx.execute("savepoint before")
        runs: list[billing.Run] = []
        for number, (step, minutes) in enumerate(steps):
            at = NOW + timedelta(seconds=number)
            if step in ("approve", "free"):
                await approved(minutes, billing="no_charge" if step == "free" else "billable")
            elif step == "bill" and (run := await billing.run(date(2026, 11, 1), [ACME], by=MAX, at=at)):
                runs.append(run)
            elif step == "delete" and runs and (drafts := runs.pop().draft_ids):
                await billing.delete_draft(drafts[0], by=MAX, at=at)
            rows = await current().fetch(
                "select a.*, d.entry_id is not null as settled from allocation a join time_entry e on e.id = a.entry_id"
                " left join settled_entry d on d.entry_id = a.entry_id and d.part = a.part where e.service_id = $1",
                HELPDESK,
            )
            found = await figures()
            assert found.billed == summed(row for row in rows if row["settled"])
            assert found.unbilled == summed(row for row in rows if not row["settled"])
            assert found.total == summed(rows)
        await tx.execute("rollback to savepoint before")
