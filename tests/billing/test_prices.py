"""Test the answer to "why this rate?": where the price of each minute of an approved entry comes from."""

from datetime import date
from decimal import Decimal

import pytest

from portal import billing
from portal.billing import prices_of
from portal.billing.deciding.prices import WHY
from portal.billing.engine import RateSource
from portal.database import current, transaction
from portal.web.gate import Gate
from tests.billing.test_prepaid_persistence import PLAN, approved
from tests.billing.work import a_service, log
from tests.browser import Browser
from tests.world import ACME, ACME_CONTRACT, HELPDESK, INES, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")


async def test_an_approved_entry_says_why_its_hours_cost_what_they_cost() -> None:
    """D17, D18: the answer to "why this rate?" names the scope and the first day of the rate that the approval fixed.

    A rate that is added after the approval does not change the answer. If a price was set for the entry itself, the
    answer says so. Ines, an agent, gets no answer.
    """
    async with transaction(MAX):
        entry, own = await log(60), await log(60, hourly_rate=Decimal("99"))
        assert await prices_of(entry.id, MAX) == []
        await billing.approve([entry.choice, own.choice], by=MAX, at=NOW)
        await current().execute(
            "insert into rate (currency, hourly_rate, effective_from, service_id, customer_id, created_at)"
            " values ('EUR', 500, '2026-01-01', $1, $2, $3)", HELPDESK, ACME, NOW,
        )  # fmt: skip
        [price] = await prices_of(entry.id, MAX)
        assert (price.minutes, price.hourly_rate) == (60, Decimal(120))
        assert (price.why, price.since) == ("the rate of the role Senior consultant", date(2026, 1, 1))
        [price] = await prices_of(own.id, MAX)
        assert (price.why, price.since) == ("the price that was set for this entry", None)
        assert await prices_of(entry.id, INES) == []


@pytest.mark.usefixtures("clock")
async def test_the_page_of_time_shows_a_price_with_all_its_decimals(app: Gate) -> None:
    """D17: “Why this rate?” shows the rate 85.125 with all its decimals, not rounded to cents."""
    async with transaction(MAX):
        entry = await log(60, hourly_rate=Decimal("85.1250"))
        await billing.approve([entry.choice], by=MAX, at=NOW)
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert "1 h at 85.125 EUR an hour" in (await browser.get(f"/agent/time/{entry.id}")).text.replace("\xa0", " ")


async def test_minutes_beyond_the_prepaid_ones_name_the_service() -> None:
    """D24: of 11 hours with 10 included, only the last hour has a price, and it comes from the service's overage rate."""
    async with transaction(MAX):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN | {"overage_rate": Decimal(150)})
        [entry] = await approved(660, service=plan)
        [price] = await prices_of(entry.id, MAX)
    assert (price.minutes, price.hourly_rate, price.since) == (60, Decimal(150), None)
    assert price.why == "the rate of “Care” beyond its prepaid hours"


async def test_every_source_of_a_price_has_its_words() -> None:
    """D18: `WHY` has words for every source of a price."""
    assert WHY.keys() == set(RateSource)
