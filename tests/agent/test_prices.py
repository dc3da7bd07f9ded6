"""Test prices that hold from a date: their page, what they change, and what stays as it was."""

from collections.abc import AsyncIterator, Awaitable
from datetime import date
from decimal import Decimal

import asyncpg
import pytest

from portal import billing
from portal.contracts.contracts import Contract
from portal.contracts.prices.changes import PriceChange, PriceFacts
from portal.contracts.services import Service
from portal.database import current, transaction
from portal.errors import Invalid
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.billing.test_prepaid_persistence import PLAN, approved, billed, lines, pieces
from tests.billing.work import a_service
from tests.browser import Browser
from tests.people.test_people import but
from tests.world import ACME, ACME_CONTRACT, GLOBEX, GLOBEX_CONTRACT, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")

LATER = PriceFacts(effective_from="2026-11-01", fee="550", included="5h", overage_rate="115")


@pytest.fixture
async def plan(dsn: str) -> int:
    """Create a subscription of Acme from October on, at 500 a month with 10 hours included; return the service's id."""
    async with transaction(SYSTEM):
        return await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)


@pytest.fixture
async def admin(app: Gate, plan: int) -> AsyncIterator[Browser]:
    async with await Browser.of(app, NOOR, at=NOW) as browser:
        yield browser


def page_of(service: int, customer: int = ACME, contract: int = ACME_CONTRACT) -> str:
    return f"/agent/customers/{customer}/contracts/{contract}/services/{service}/prices"


async def refused(verb: Awaitable[None]) -> dict[str, str]:
    """Await `verb`, which must raise `Invalid`, and return the error messages by field."""
    with pytest.raises(Invalid) as refusal:
        await verb
    return refusal.value.fields


async def add(plan: int, facts: PriceFacts = LATER) -> None:
    async with billing.changing_terms(ACME):
        service, contract = await Service.find(plan, SYSTEM), await Contract.find(ACME_CONTRACT, SYSTEM)
        await PriceChange.create(service, contract, facts, NOW)


async def test_a_period_has_the_fee_and_the_hours_that_hold_on_its_first_day(plan: int) -> None:
    """D26, S3.25: October costs 500 and includes 10 hours; November, after a price change, costs 550 and includes 5.

    Each further hour in November costs 115. If 8 hours are worked in November, 5 are included, and the other 3 cost
    345.00.
    """
    async with transaction(NOOR):
        await add(plan)
        [october] = await approved(480, service=plan)
        [november] = await approved(480, service=plan, on=date(2026, 11, 3))
        assert await pieces(october) == [("included", 480, "2026-10-01")]
        assert await pieces(november) == [("included", 300, "2026-11-01"), ("charged", 180, None)]
        run = await billed(date(2026, 11, 20))
        assert await lines(run.draft_ids[0]) == [
            ("fee", "Care, 1 Oct to 31 Oct 2026", 500),
            ("fee", "Care, 1 Nov to 30 Nov 2026", 550),
            ("time", "Care", Decimal(345)),
        ]
        assert await billing.violations() == {}


async def test_a_billed_fee_and_an_approved_rate_stay_when_prices_change(plan: int) -> None:
    """D26, C12, D17: a price change with a first day in the past does not change fees that are billed already.

    For time that is approved and not billed, the new number of included hours applies, but the approved rate stays.
    """
    async with transaction(NOOR):
        await billed()
        [entry] = await approved(660, service=plan, on=date(2026, 11, 3))
        before = await current().fetchval("select hourly_rate from allocation where kind = 'charged'")
        await add(plan)
        assert await pieces(entry) == [("included", 300, "2026-11-01"), ("charged", 360, None)]
        assert await current().fetchval("select hourly_rate from allocation where kind = 'charged'") == before
        run = await billed(date(2026, 11, 20))
        assert [kind for kind, *_ in await lines(run.draft_ids[0])] == ["time"]
        assert await billing.violations() == {}


async def test_an_admin_adds_prices_and_deletes_them(admin: Browser, plan: int) -> None:
    """D26: the page of a service's prices lists the prices that an admin adds, until the admin deletes them.

    The page names the first day of each price. The page of the service shows the present prices and the coming prices.
    Deleting prices again gets 404.
    """
    fields = {"effective_from": "2026-12-01", "fee": "550", "included": "5h", "overage_rate": "33.3333"}
    assert (await admin.send_form(page_of(plan), fields)).status_code == 303
    text = (await admin.get(page_of(plan))).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "From 1 Dec 2026" in text
    assert "33.3333 EUR an hour" in text
    shown = " ".join((await admin.get(f"/agent/services/{plan}")).text.split()).replace("\N{NO-BREAK SPACE}", " ")
    assert "€500.00 for a period" in shown
    assert "From 1 Dec 2026: €550.00 with 5 h included" in shown
    async with transaction(SYSTEM):
        [change] = await PriceChange.of(plan)
    removal = f"{page_of(plan)}/{change.id}/removal"
    assert (await admin.send_form(removal, {})).status_code == 303
    assert (await admin.send_form(removal, {})).status_code == 404
    assert "From 1 Dec 2026" not in (await admin.get(page_of(plan))).text


async def test_the_prices_of_another_customers_service_are_not_found(admin: Browser, plan: int) -> None:
    """D52: under the URL of another customer, contract or service, a service's prices get 404 and do not change."""
    strange = page_of(plan, GLOBEX, GLOBEX_CONTRACT)
    assert (await admin.get(strange)).status_code == 404
    async with transaction(SYSTEM):
        await add(plan)
        [change] = await PriceChange.of(plan)
        other = await a_service(ACME, ACME_CONTRACT, "Other", **PLAN)
    for path in (strange, f"{strange}/{change.id}/removal", f"{page_of(other)}/{change.id}/removal"):
        assert (await admin.send_form(path, {})).status_code == 404
    async with transaction(SYSTEM):
        assert len(await PriceChange.of(plan)) == 1


async def test_bad_prices_are_refused_at_their_field_and_change_nothing(plan: int) -> None:
    """D26: each wrong value gets an error message at its own field and at no other, and nothing is stored."""
    async with transaction(NOOR):
        service, contract = await Service.find(plan, SYSTEM), await Contract.find(ACME_CONTRACT, SYSTEM)
        mistakes = {
            "effective_from": ("", "November", "2026-10-01", "2026-09-30"),
            "fee": ("", "many", "5.001", "-1"),
            "included": ("ten",),
            "overage_rate": ("-1", "1.00001"),
        }
        for field, values in mistakes.items():
            for value in values:
                problem = await refused(PriceChange.create(service, contract, but(LATER, **{field: value}), NOW))
                assert problem.keys() == {field}, value
        same = PriceFacts(effective_from="2026-11-01", fee="500", included="10h")
        assert "hold already" in (await refused(PriceChange.create(service, contract, same, NOW)))["effective_from"]
        await PriceChange.create(service, contract, LATER, NOW)
        again = await refused(PriceChange.create(service, contract, but(LATER, fee="560"), NOW))
        assert "already" in again["effective_from"]
        time_spent = await Service.find(await a_service(ACME, ACME_CONTRACT, "Hours"), SYSTEM)
        assert "rates" in (await refused(PriceChange.create(time_spent, contract, LATER, NOW)))["effective_from"]
        assert len(await PriceChange.of(plan)) == 1


async def test_fewer_hours_than_documents_have_drawn_are_refused(admin: Browser, plan: int) -> None:
    """D26: prices are refused if they include fewer hours than billed time has already used up in a period."""
    async with transaction(MAX):
        await approved(480, service=plan, on=date(2026, 11, 3))
        await billed(date(2026, 11, 20))
    fields = {"effective_from": "2026-11-01", "fee": "550", "included": "5h", "overage_rate": ""}
    answer = await admin.send_form(page_of(plan), fields)
    assert answer.status_code == 422
    assert "1 Nov 2026" in answer.text
    assert 'value="5h"' in answer.text
    async with transaction(SYSTEM):
        assert await PriceChange.of(plan) == []


async def test_the_settlement_stays_while_prices_change_from_a_date(plan: int) -> None:
    """D26: while a service has price changes, its settlement, which says how its time is paid for, cannot be changed.

    If the service is a subscription, the database refuses a price change without a fee.
    """
    async with transaction(NOOR):
        await add(plan)
        service = await Service.find(plan, SYSTEM)
        problem = await refused(service.change(but(service.facts, settlement="voucher")))
        assert "Delete these changes" in problem["settlement"]
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with transaction(NOOR) as tx:
                await tx.execute(
                    "insert into price_change (customer_id, service_id, effective_from, overage_rate, created_at) values ($1, $2, $3, 1, $4)",
                    ACME, plan, date(2027, 1, 1), NOW,
                )  # fmt: skip
