"""Test the browser's Back button: it restores ticks on their own rows only, and no text of a form that was sent."""

from datetime import UTC, datetime

import pytest
from playwright.async_api import expect

from portal.settings import Settings
from portal.storage import open_storage
from tests.e2e.conftest import Visitors
from tests.places import furnished
from tests.world import ADA, MAX

pytestmark = pytest.mark.slow


async def test_going_back_ticks_the_rows_that_were_ticked_by_hand_and_no_other(
    visitors: Visitors, settings: Settings
) -> None:
    """After going back to a list, each checkbox has the state in which it was left, also one changed by hand."""
    await furnished(open_storage(settings.storage_url), datetime.now(UTC))
    page = await visitors.signed_in(MAX.email)
    for address in ("/agent/approvals", "/agent/cases?view=all", "/agent/invoices"):
        await page.goto(address)
        boxes = page.locator("tbody .tick input")
        before = {await box.get_attribute("value"): await box.is_checked() for box in await boxes.all()}
        assert before, address
        by_hand = await boxes.last.get_attribute("value")
        await boxes.last.set_checked(not before[by_hand])
        await page.goto("/agent/time")
        await page.go_back()
        await expect(page.locator("h1")).to_be_visible()
        after = {await box.get_attribute("value"): await box.is_checked() for box in await boxes.all()}
        assert after == before | {by_hand: not before[by_hand]}, address


async def test_going_back_to_a_form_that_was_sent_finds_it_empty(visitors: Visitors) -> None:
    """After a new case was sent, going back shows its form empty, so that no second case is created by mistake."""
    page = await visitors.signed_in(ADA.email)
    await page.goto("/cases/new")
    await page.get_by_label("Subject").fill("Printer")
    await page.get_by_label("What happens").fill("It smokes.")
    await page.get_by_role("button", name="Send case").click()
    await expect(page.locator("#feed")).to_contain_text("It smokes.")
    await page.go_back()
    await expect(page.get_by_label("Subject")).to_have_value("")
    await expect(page.get_by_label("What happens")).to_have_value("")
