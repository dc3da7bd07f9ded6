"""Test approving time by keyboard: sums and the list of rejected entries follow the ticks, and undo restores all."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from portal.database import transaction
from portal.people.readers import SYSTEM
from tests.billing.work import log
from tests.e2e.conftest import Visitors
from tests.world import MAX

pytestmark = [pytest.mark.slow]


async def approvals(visitors: Visitors) -> Page:
    day = datetime.now(UTC).date()
    monday = day - timedelta(days=day.weekday() + 7)
    async with transaction(SYSTEM):
        for number in range(4):
            await log(45 + number, on=monday, comment=f"Work {number}")
    page = await visitors.signed_in(MAX.email)
    await page.goto("/agent/approvals")
    return page


async def test_sums_and_the_dialog_follow_the_ticks(visitors: Visitors) -> None:
    page = await approvals(visitors)
    dock = page.locator(".dock p")
    await expect(dock).to_have_text("4 of 4 ticked · 3\xa0h\xa06\xa0min counted · €372.00 charged")
    await page.locator("tbody .tick input").first.uncheck()
    await expect(dock).to_have_text("3 of 4 ticked · 2\xa0h\xa018\xa0min counted · €276.00 charged")
    await expect(page.get_by_role("button", name="Approve 3")).to_be_enabled()
    await page.keyboard.press("r")
    await expect(page.locator("dialog[open] .chosen li")).to_have_count(3)
    await expect(page.locator("dialog[open] .chosen")).to_contain_text("Ines Okafor")
    await expect(page.locator("dialog[open] .chosen")).to_contain_text("Work 2")
    await expect(page.locator("dialog[open] .chosen")).not_to_contain_text("Work 3")


async def test_keys_stay_alive_after_the_head_box_is_ticked(visitors: Visitors) -> None:
    page = await approvals(visitors)
    head = page.get_by_label("Tick all on this page")
    await head.click()
    await expect(page.locator("[data-ticked]").first).to_have_text("0")
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await expect(page.locator("[data-ticked]").first).to_have_text("1")
    await head.click()
    await page.keyboard.press("a")
    await expect(page.locator(".toast")).to_contain_text("4\xa0entries approved.")
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator("tr[data-row]")).to_have_count(4)


async def test_a_question_mark_shows_the_keys_wherever_nothing_is_written(visitors: Visitors) -> None:
    page = await approvals(visitors)
    shown = page.locator("#keys-help")
    for place in ("thead .tick input", "tbody .tick input", "[name=drafts]", "summary, .dock button"):
        await page.locator(place).first.focus()
        await page.keyboard.press("?")
        await expect(shown).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(shown).to_be_hidden()
    await page.locator("body").press("r")
    await page.locator("dialog[open] button").first.focus()
    await page.keyboard.press("?")
    await expect(shown).to_be_visible()
    await page.keyboard.press("Escape")
    await page.locator("#reason").fill("Why")
    await page.locator("#reason").press("?")
    await expect(page.locator("#reason")).to_have_value("Why?")
    await expect(shown).to_be_hidden()
    await page.goto("/agent/cases/new")
    await page.locator("#customer").focus()
    await page.keyboard.press("?")
    await expect(shown).to_be_visible()
