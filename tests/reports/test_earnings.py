"""Test revenue, cost and profit: in every grouping, they equal the sums of the documents and the cost of the time."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from portal import billing
from portal.billing import By, Chosen, Invoice, by_currency, grouped
from portal.database import current, transaction
from portal.people.agents import Agent
from portal.people.readers import SYSTEM
from portal.people.working.costs import CostRate, CostRateFacts
from portal.reports.earnings import Earned, earned
from tests.billing.test_credits_persistence import credited
from tests.billing.test_prepaid_persistence import PLAN, approved
from tests.billing.work import a_service, log
from tests.world import ACME, ACME_CONTRACT, HELPDESK, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)
DAY = date(2026, 11, 10)


async def costs(hourly: str, starts: str, currency: str = "EUR") -> None:
    async with transaction(SYSTEM):
        await CostRate.create(
            await Agent.find(INES.id), CostRateFacts(hourly_cost=hourly, currency=currency, effective_from=starts), NOW
        )


async def invoiced(*minutes: int) -> Invoice:
    """Issue an invoice for approved time under the help desk, one entry for each of `minutes`, and return it."""
    for each in minutes:
        await approved(each, on=DAY)
    run = await billing.run(date(2026, 11, 20), [ACME], by=MAX, at=NOW)
    assert run
    return await billing.issue(run.draft_ids[0], by=MAX, at=NOW)


async def sums(since: date = FIRST, until: date = LAST) -> Earned:
    return by_currency(await earned(MAX, since, until)).get("EUR", Earned())


async def test_profit_is_revenue_less_the_cost_of_the_time_worked() -> None:
    """S3.27, S3.28, D8: an invoiced hour for 120.00 that costs 50.00 has a profit of 70.00. Rejected time costs 0."""
    await costs("50", "2026-01-01")
    async with transaction(MAX):
        await invoiced(60)
        await log(30, on=DAY, state="rejected")
        its = await sums()
    assert (its.revenue, its.worked, its.costs) == (Decimal("120.00"), 60, {"EUR": Decimal("50.00")})
    assert (its.profit("EUR"), its.margin("EUR")) == (Decimal("70.00"), 58)


async def test_time_that_is_not_billed_costs_too_and_drafts_are_no_revenue() -> None:
    """S3.28: customers' time that is not billable lowers the profit; a draft invoice counts as no revenue."""
    await costs("60", "2026-01-01")
    async with transaction(MAX):
        await log(60, on=DAY, service=None, customer=ACME, billing="not_billable")
        await approved(60, on=DAY)
        await billing.run(date(2026, 11, 20), [ACME], by=MAX, at=NOW)
        its = await sums()
    assert (its.revenue, its.costs["EUR"], its.profit("EUR")) == (Decimal(0), Decimal("120.00"), Decimal("-120.00"))
    assert its.margin("EUR") is None


async def test_a_cost_rate_counts_from_its_day() -> None:
    """S3.28: one hour before the new rate costs 50.00, and one hour from its first day on costs 80.00."""
    await costs("50", "2026-01-01")
    await costs("80", "2026-11-11")
    async with transaction(MAX):
        await log(60, on=DAY)
        await log(60, on=date(2026, 11, 11))
        assert (await sums()).costs == {"EUR": Decimal("130.00")}
        assert (await sums(until=DAY)).costs == {"EUR": Decimal("50.00")}


async def test_there_is_no_profit_where_a_cost_is_not_known() -> None:
    """S3.28: without a cost rate in the currency of the revenue, the profit is unknown instead of too high."""
    async with transaction(MAX):
        await log(60, on=DAY)
        its = await sums()
        assert (its.unpriced, its.profit("EUR")) == (60, None)
    await costs("50", "2026-01-01", "CHF")
    async with transaction(MAX):
        its = await sums()
    assert (its.costs, its.profit("EUR")) == ({"CHF": Decimal("50.00")}, None)


async def test_credit_notes_lower_the_revenue_of_their_own_day() -> None:
    """S3.27: if half an hour of two invoiced hours is credited, revenue is the invoices minus the credit notes.

    A report that ends before the day of the credit note has the full revenue of the invoice.
    """
    async with transaction(MAX):
        invoice = await invoiced(60, 60)
        await credited(invoice, Chosen(minutes={1: 30}), at=NOW + timedelta(days=2))
        before, its = await sums(until=NOW.date() + timedelta(days=1)), await sums()
        net = await current().fetchval("select sum(net) from invoice") - await current().fetchval(
            "select sum(net) from credit_note"
        )
    assert (its.time, its.credited, its.revenue) == (Decimal("240.00"), Decimal("60.00"), net)
    assert (before.credited, before.revenue) == (0, Decimal("240.00"))


async def test_every_grouping_has_the_sum_of_all_documents() -> None:
    """S3.27: in every grouping, the revenue from time and a fee sums to the net amount of the issued invoice."""
    async with transaction(MAX):
        await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        await invoiced(60)
        found = await earned(MAX, FIRST, LAST)
        net = await current().fetchval("select sum(net) from invoice where state = 'issued'")
        for by in By:
            assert sum(it.revenue for it in grouped(found, by).values()) == net
        kinds = {place.service_id: (it.time > 0, it.fees > 0) for place, it in grouped(found, By.SERVICE).items()}
        assert kinds.pop(HELPDESK) == (True, False)
        assert list(kinds.values()) == [(False, True)]
