"""Test the invoicing potential: the worth of open time by customer, contract, service and settlement."""

from datetime import date
from decimal import Decimal

import pytest

from portal import billing
from portal.billing import By, Choice, Place, Potential, by_currency, figures_of, grouped, potential_of
from portal.billing.usage import potential as pricing
from portal.database import current, transaction
from portal.words import Settlement
from tests.billing.test_prepaid_persistence import PLAN, approved, billed
from tests.billing.work import a_service, log
from tests.world import ACME, ACME_CONTRACT, GLOBEX_HELPDESK, HELPDESK, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn")
DAY = date(2026, 11, 10)


async def found(customer: int | None = None) -> dict[int | None, Potential]:
    return {place.service_id: it for place, it in await potential_of(MAX, customer=customer)}


async def test_submitted_time_is_potential_and_its_approval_does_not_change_the_sum() -> None:
    """S3.26: one hour at 120.00 has a potential of 120.00 before and after its approval, and of 0.00 once it is billed."""
    async with transaction(MAX):
        entry = await log(60, on=DAY)
        assert (await found())[HELPDESK] == Potential(0, 0, 60, Decimal("0"), Decimal("120.00"))
        await billing.approve([entry.choice], by=MAX, at=NOW)
        assert (await found())[HELPDESK] == Potential(60, 0, 0, Decimal("120.00"), Decimal(0))
        await billing.run(date(2026, 11, 20), [ACME], by=MAX, at=NOW)
        assert await found() == {}


async def test_what_approved_time_is_worth_equals_the_unbilled_figures_of_its_service() -> None:
    """S3.26, S4.24, S4.25: after a run and further work, the potential of approved time equals the service's unbilled sum."""
    async with transaction(MAX):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        await approved(700, service=plan, on=DAY)
        await approved(45, on=DAY)
        await approved(30, service=GLOBEX_HELPDESK, on=DAY)
        await billed(date(2026, 11, 15))
        await approved(20, service=plan, on=DAY)
        await log(60, on=DAY, billing="no_charge")
        await approved(25, on=DAY)
        potential, figures = await found(), await figures_of([HELPDESK, GLOBEX_HELPDESK, plan])
        for id, its in figures.items():
            now = potential.get(id, Potential())
            assert (now.approved, now.charged) == (its.unbilled.minutes, its.unbilled.amount)


async def test_included_hours_are_worth_nothing_and_waiting_time_is_priced_after_them() -> None:
    """S3.26, D20: of 11 hours under a subscription with 10 included hours, one has a price, before and after approval."""
    async with transaction(MAX):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        entries = [await log(330, service=plan, on=DAY), await log(330, service=plan, on=DAY)]
        before = (await found())[plan]
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
        after = (await found())[plan]
        assert (before.waiting, after.approved) == (660, 660)
        assert before.total == after.total == after.charged != 0


async def test_held_time_counts_with_what_its_release_would_charge() -> None:
    """S3.26, C8: of 11 held hours, 10 are included, so the potential is the price of the hour that a release would charge."""
    async with transaction(MAX):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN | {"overflow": "hold"})
        entry = await log(660, service=plan, on=DAY)
        await billing.approve([entry.choice], by=MAX, at=NOW)
        now = (await found())[plan]
        assert (now.approved, now.held, now.charged) == (660, 660, Decimal(0))
        await billing.release([Choice(entry.id, 1)], by=NOOR, at=NOW)
        assert (await found())[plan].charged == now.total != 0


async def test_time_without_a_rate_is_counted_as_unpriced() -> None:
    """D19: time without a rate, whose approval would be refused, counts with its minutes and without an amount."""
    async with transaction(MAX):
        await current().execute("delete from rate")
        await log(60, on=DAY)
        now = (await found())[HELPDESK]
    assert (now.waiting, now.unpriced, now.total) == (60, 60, Decimal(0))


async def test_much_waiting_time_is_priced_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """If many entries wait for approval, the invoicing potential prices them only with `everything`.

    Without `everything`, `total` is None. The minutes are complete either way.
    """
    monkeypatch.setattr(pricing, "PRICED", 1)
    async with transaction(MAX):
        await log(60, on=DAY)
        await log(30, on=DAY)
        assert (await found())[HELPDESK].total is None
        [(_, it)] = await potential_of(MAX, everything=True)
    assert (it.waiting, it.total) == (90, Decimal("180.00"))


async def test_figures_are_added_up_by_customer_contract_and_settlement_within_a_currency() -> None:
    """S3.26: the figures can be grouped by customer, contract, service or settlement; no sum mixes currencies."""
    one = Place("EUR", 1, "Acme", 1, "Support", 1, "Helpdesk", Settlement.TIME_SPENT)
    two = Place("EUR", 1, "Acme", 2, "Care", 2, "Plan", Settlement.SUBSCRIPTION)
    other = Place("CHF", 2, "Globex", 3, "Care", 3, "Plan", Settlement.SUBSCRIPTION)
    figures = [(place, Potential(60, charged=Decimal(50))) for place in (one, two, other)]
    assert [len(grouped(figures, by)) for by in (By.CUSTOMER, By.CONTRACT, By.SERVICE, By.SETTLEMENT)] == [2, 3, 3, 3]
    assert grouped(figures, By.CUSTOMER)[Place("EUR", 1, "Acme")].charged == 100
    assert {currency: it.charged for currency, it in by_currency(figures).items()} == {"CHF": 50, "EUR": 100}
