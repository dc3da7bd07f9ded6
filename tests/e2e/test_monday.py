"""Test a manager's Monday: 300 entries wait for approval, 13 of them odd, and the manager decides by keyboard."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from portal import billing
from portal.database import current, transaction
from portal.people.readers import SYSTEM
from tests.e2e.conftest import Visitors
from tests.world import INES, MAX

pytestmark = pytest.mark.slow

WAITING = """
insert into time_entry (customer_id, service_id, agent_id, entered_by_id, work_date, actual_minutes, billing, billable_minutes,
  external_comment, description, state, created_at, window_from, submitted_at)
select 1, 1, case when n % 2 = 0 then 1 else 3 end, 1, $1::date - (n % 5) - 7 * (n / 60), 15, 'billable', 15,
  case when n <= 12 then '' else 'Work ' || n end, '', 'submitted', now(), now(), now()
from generate_series(1, 300) n
"""


async def test_three_hundred_entries_are_decided_on_by_keyboard(visitors: Visitors) -> None:
    """S0.29, C3, D35: of 300 entries, 12 have no external comment, and Max flags another with a question: 13 are odd.

    He approves the other 287, undoes the approval and repeats it. The 13 odd entries still wait. Ines finds the flag's
    question in her list and answers it.
    """
    day = datetime.now(UTC).date()
    friday = day - timedelta(days=day.weekday() + 3)
    async with transaction(SYSTEM):
        await current().execute(WAITING, friday)
    page = await visitors.signed_in(MAX.email)
    await page.goto("/agent/approvals")
    await expect(page.locator("main")).to_contain_text("300\xa0entries wait")
    await expect(page.locator("tr[data-row]")).to_have_count(50)

    await page.locator("thead .tick input").check()
    await page.locator("thead .tick input").uncheck()
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await page.keyboard.press("f")
    await page.locator("dialog[open] [name=question]").fill("Which switch was it?")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".toast")).to_contain_text("1\xa0entry flagged.")
    await expect(page.locator("main .flagged")).to_contain_text("Which switch was it?")

    await page.get_by_role("link", name="Decide on all 300 at once").click()
    await expect(page.locator("h1")).to_have_text("Decide on 287\xa0entries at once?")
    await expect(page.locator("main")).to_contain_text("No external comment: 12")
    await expect(page.locator("main")).to_contain_text("Flagged: 1")
    await page.keyboard.press("a")
    await expect(page.locator(".toast")).to_contain_text("287\xa0entries approved.")
    await expect(page.locator("tr[data-row]")).to_have_count(13)
    await page.keyboard.press("z")
    await expect(page.locator(".toast")).to_contain_text("287\xa0entries taken back.")
    await expect(page.locator("main")).to_contain_text("300\xa0entries wait")

    await page.goto("/agent/approvals/everything")
    await page.keyboard.press("a")
    await expect(page.locator("tr[data-row]")).to_have_count(13)
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from time_entry where state = 'approved'") == 287
        assert await billing.violations() == {}

    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto("/agent/approvals/everything?odd=yes")
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    ines = await visitors.signed_in(INES.email)
    await ines.goto("/agent/time")
    await expect(ines.locator("main .notice")).to_contain_text("1\xa0question waits for your answer")
    await ines.locator("main .notice").get_by_role("link").click()
    await ines.get_by_label("Your answer").fill("The one in the cellar.")
    await ines.get_by_role("button", name="Answer").click()
    await expect(ines.locator("main .flagged")).to_contain_text("The one in the cellar.")
