"""Test merging cases in a browser: by keyboard, and with the page of the merged case open in another window."""

import pytest
from playwright.async_api import expect

from tests.agent.test_cases import open_case
from tests.e2e.conftest import Visitors
from tests.world import ADA, INES

pytestmark = [pytest.mark.slow]


async def test_two_cases_are_merged_by_keyboard_while_the_customer_looks_on(visitors: Visitors) -> None:
    """D53: J and X tick cases, Enter begins and confirms the merge; the customer's open page then shows the other case."""
    first, second = await open_case("Printer offline"), await open_case("Printer jams")
    customers = await visitors.signed_in(ADA.email)
    await customers.goto(f"/cases/{second.number}")
    page = await visitors.signed_in(INES.email)
    await page.goto("/agent/cases?view=all")
    for _ in range(2):
        await page.keyboard.press("j")
        await page.keyboard.press("x")
    await page.get_by_role("button", name="Merge").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Which case remains?")).to_be_visible()
    await expect(page.locator(f'input[name="into"][value="{first.number}"]')).to_be_checked()
    await page.get_by_role("button", name="Merge 2 cases").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".came-from")).to_have_text(f"#{second.number} is now part of #{first.number}.")
    await expect(customers.locator("#feed")).to_contain_text("into this case")
    await customers.reload()
    await expect(customers.locator(".came-from")).to_have_text(f"#{second.number} is now part of #{first.number}.")
