"""Test merging cases in a browser: by keyboard, and with the page of the merged case open in another window."""

import pytest
from playwright.async_api import expect

from tests.agent.test_cases import open_case
from tests.e2e.conftest import Visitors
from tests.world import ADA, INES

pytestmark = pytest.mark.slow


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


async def test_a_case_is_merged_and_linked_with_one_that_is_found_by_its_subject(visitors: Visitors) -> None:
    """A case is suggested when a word of its subject is typed, on the page of links and on the page of a merge.

    On the page of links, a second Enter links the chosen case. On the page of a merge, choosing a case adds it at once.
    """
    first, second = await open_case("Printer offline"), await open_case("Toner is empty")
    page = await visitors.signed_in(INES.email)
    await page.goto(f"/agent/cases/{first.number}/links")
    field = page.get_by_role("combobox", name="The other case")
    await field.press_sequentially("toner")
    await expect(page.get_by_role("option")).to_contain_text([f"#{second.number} Toner is empty"])
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(field).to_have_value(f"#{second.number} Toner is empty")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name=f"Remove the link with #{second.number}")).to_be_visible()
    await page.goto(f"/agent/cases/merging?case={first.number}")
    await page.get_by_role("combobox", name="Another case of Acme").press_sequentially("toner")
    await expect(page.get_by_role("option")).to_contain_text([f"#{second.number} Toner is empty"])
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Which case remains?")).to_be_visible()
    await expect(page.locator(f'input[name="into"][value="{second.number}"]')).to_be_attached()
