"""Test approving time by keyboard: sums and the list of rejected entries follow the ticks; undo restores ticks."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from portal.database import transaction
from portal.people.readers import SYSTEM
from tests.agent.test_cases import open_case
from tests.billing.work import log
from tests.e2e.conftest import Visitors
from tests.world import MAX

pytestmark = pytest.mark.slow


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


async def test_ticks_made_by_hand_are_there_again_when_one_turns_back(visitors: Visitors) -> None:
    """When Max goes back to a page of a list, the rows that he ticked there are ticked again.

    This lasts until he sends the form of that page. Sending the form of one page keeps the ticks of the other page.
    """
    for number in range(27):
        await open_case(f"Case {number}")
    page = await visitors.signed_in(MAX.email)
    await page.goto("/agent/cases?view=unassigned")
    ticked = page.locator("tbody .tick input:checked")
    for row in (0, 2):
        await page.locator("tbody .tick input").nth(row).check()
    values = [await box.get_attribute("value") for box in await ticked.all()]
    await page.get_by_role("link", name="Next 2").click()
    await expect(page.locator("tbody tr")).to_have_count(2)
    await expect(ticked).to_have_count(0)
    await page.locator("tbody .tick input").first.check()
    await page.get_by_role("link", name="Back").click()
    await expect(ticked).to_have_count(2)
    assert [await box.get_attribute("value") for box in await ticked.all()] == values
    await expect(page.locator(".bulk strong:not(.without-script)")).to_have_text("2 selected on this page")
    await page.get_by_role("button", name="Take").click()
    await expect(page.locator(".toast")).to_contain_text("2\xa0cases taken.")
    await expect(ticked).to_have_count(0)
    await page.goto("/agent/cases?view=unassigned&sort=number")
    await expect(page.locator("tbody tr")).to_have_count(25)
    await expect(ticked).to_have_count(1)


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
    await page.goto("/agent/cases")
    await page.locator(".more-filters summary").focus()
    await page.keyboard.press("?")
    await expect(shown).to_be_visible()
