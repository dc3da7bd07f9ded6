"""Test a timesheet by keyboard: tick, approve, undo, reject, log general time, and export."""

from datetime import UTC, datetime

import pytest
from playwright.async_api import Page, expect

from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.periods import today
from tests.billing.work import log
from tests.e2e.conftest import Visitors
from tests.world import MAX

pytestmark = pytest.mark.slow


async def timesheet(visitors: Visitors) -> Page:
    async with transaction(SYSTEM):
        for number in range(3):
            await log(45 + number, on=today("Europe/Berlin", datetime.now(UTC)), comment=f"Work {number}")
    page = await visitors.signed_in(MAX.email)
    await page.goto("/agent/timesheets?kind=all")
    return page


async def test_a_timesheet_is_worked_by_keyboard(visitors: Visitors) -> None:
    """S2.34, S2.39: Max ticks entries and approves them by keyboard. He undoes the approval by a button.

    Then he rejects one entry by keyboard, with a reason. `L` opens the panel for logging general time.
    """
    page = await timesheet(visitors)
    ticked = page.locator("[data-ticked]").first
    for key in "jxjx":
        await page.keyboard.press(key)
    await expect(ticked).to_have_text("2")
    await page.keyboard.press("a")
    await expect(page.locator(".toast")).to_contain_text("2\xa0entries approved.")
    await expect(page.locator(".chip", has_text="Approved")).to_have_count(2)
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator("tbody .tick input")).to_have_count(3)
    for key in "jxr":
        await page.keyboard.press(key)
    await page.keyboard.type("Which site was it?")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_text("Rejected: Which site was it?")).to_be_visible()
    await page.keyboard.press("l")
    panel = page.locator("#log-panel")
    await expect(
        panel.get_by_label("Logged on", exact=False).or_(panel.locator("[name=on_typed]")).first
    ).to_have_value("Meeting")


async def test_a_timesheet_is_exported_from_its_menu(visitors: Visitors) -> None:
    """S2.36, S2.37: a timesheet can be exported by keyboard; the file is named after its layout and days."""
    page = await timesheet(visitors)
    await page.get_by_role("button", name="Export").press("Enter")
    link = page.get_by_role("link", name="Excel").last
    async with page.expect_download() as started:
        await link.press("Enter")
    download = await started.value
    assert download.suggested_filename.startswith("timesheet-invoicing-")
    assert download.suggested_filename.endswith(".xlsx")


async def test_a_filter_is_found_by_typing(visitors: Visitors) -> None:
    """S2.30: Max filters the timesheet by an agent whom he chooses from suggestions, and groups it by customer."""
    page = await timesheet(visitors)
    await page.get_by_label("Agent", exact=True).press_sequentially("noor")
    await page.locator(".suggestions li", has_text="Noor Haddad").click()
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_text("No entry of these days fits the filters.")).to_be_visible()
    await page.get_by_role("link", name="Clear filters").click()
    await page.get_by_label("By", exact=True).select_option("customer")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator("tr.group strong")).to_have_text("Acme")
