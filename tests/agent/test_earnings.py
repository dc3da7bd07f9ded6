"""Test the pages of invoicing potential and of revenue and profit, and their files."""

from datetime import date

import pytest

from portal.billing import By, potential_of
from portal.database import transaction
from portal.errors import Forbidden
from portal.reports.earnings import earned
from tests.billing.work import log
from tests.browser import Browser
from tests.reports.test_earnings import costs, invoiced
from tests.world import INES, MAX

pytestmark = pytest.mark.usefixtures("clock")

DAY = date(2026, 11, 10)


async def test_agents_see_hours_and_managers_also_money(ines: Browser, max_: Browser) -> None:
    """S3.26: on the page of invoicing potential (unbilled time), agents see only hours; managers also see amounts.

    The CSV file has the amounts too.
    """
    async with transaction(MAX):
        await log(90, on=DAY)
        assert [it.more for _, it in await potential_of(INES)] == [None]
    for by in ("customer", "contract", "service", "settlement"):
        of_agent = (await ines.get(f"/agent/potential?by={by}")).text
        of_manager = (await max_.get(f"/agent/potential?by={by}")).text
        assert "1:30" in of_agent
        assert "180.00" not in of_agent
        assert "€180.00" in of_manager
        assert "0:00" not in of_agent
    file = (await max_.get("/agent/potential.csv?by=service")).text
    assert "Acme;Support 2026;Helpdesk;Time spent;;EUR;0;0;90;0;0;180.00;180.00" in file.replace(",", ";")
    assert "Everything is billed" in (await max_.get("/agent/potential?customer=2")).text


async def test_only_managers_see_revenue_and_its_file(ines: Browser, max_: Browser) -> None:
    """S3.27, S3.28: a manager sees revenue and profit in every grouping, and as a CSV file.

    An agent gets 403 for the page.
    """
    await costs("50", "2026-01-01")
    async with transaction(MAX):
        await invoiced(60)
        with pytest.raises(Forbidden):
            await earned(INES, DAY, DAY)
    assert (await ines.get("/agent/earnings")).status_code == 403
    for by in By:
        page = (await max_.get(f"/agent/earnings?by={by}")).text
        assert "€120.00" in page
        assert "€70.00" in page
        assert "58\N{NO-BREAK SPACE}%" in page.replace("&nbsp;", "\N{NO-BREAK SPACE}")
    file = (await max_.get("/agent/earnings.csv?by=customer")).text
    assert "Acme" in file
    assert "70.00" in file
    empty = (await max_.get("/agent/earnings?from=2020-01-01&until=2020-01-31")).text
    assert "Nothing on these days" in empty
    assert f'href="/agent/earnings?by=customer&amp;from={DAY.year}-01-01&amp;until=' in empty
