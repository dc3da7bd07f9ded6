"""Test the week grid and the lists of time in a real browser, by keyboard alone and without JavaScript."""

import re
from datetime import date, timedelta

import pytest
from playwright.async_api import Page, expect

from portal import periods
from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.timekeeping.calendar.weeks import monday_of
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.work import Work
from portal.web.visit import now
from tests.agent.test_cases import open_case
from tests.e2e.conftest import Visitors
from tests.e2e.test_logging import violations
from tests.world import HELPDESK, INES

pytestmark = pytest.mark.slow


def last_monday() -> date:
    """Return the Monday of the week before this one, which is wholly in the past."""
    return monday_of(periods.today(INES.time_zone, now())) - timedelta(days=7)


async def worked() -> list[tuple[object, ...]]:
    """Return for each entry the id of its case or general kind, its day of the week (0 for Monday) and its minutes."""
    async with transaction(SYSTEM) as tx:
        rows = await tx.fetch(
            "select coalesce(case_id, general_kind_id) as on_id, work_date, actual_minutes from time_entry order by id"
        )
    return [(row["on_id"], row["work_date"].weekday(), row["actual_minutes"]) for row in rows]


async def focused(page: Page) -> str:
    """Return the name of the field that has the focus."""
    name: str = await page.evaluate("document.activeElement.name ?? ''")
    return name


async def test_a_week_is_filled_by_keyboard_alone(visitors: Visitors) -> None:
    """S1.21: with arrow keys, Tab and typing, Ines finds and adds rows and fills cells; Ctrl+Enter saves the week."""
    case = await open_case("VPN drops")
    page = await visitors.signed_in(INES.email)
    await page.goto(f"/agent/time/week?from={last_monday()}")
    await page.locator("#week-add").focus()
    keys = page.keyboard
    await keys.type(str(case.number))
    await expect(page.locator("#week .suggestions li").first).to_contain_text("VPN drops")
    await keys.press("ArrowDown")
    await keys.press("Enter")
    row = f"case-{case.number}.{HELPDESK}.0"
    monday = page.locator(f'[name="{row}.{last_monday()}"]')
    await expect(monday).to_be_focused()
    await keys.type("1h 30m")
    await keys.press("ArrowRight")
    await keys.type("45")
    await keys.press("Tab")
    assert (await focused(page)).endswith(str(last_monday() + timedelta(days=2)))
    await keys.type("9-10:45")
    await keys.press("ArrowRight")
    await expect(page.locator("#week-sums tr").first).to_contain_text("4:00")
    await expect(page.locator(f'[id="sum-{row}"]')).to_have_text("4:00")

    await page.locator("#week-add").focus()
    await keys.type("meeting")
    await expect(page.locator("#week .suggestions li").first).to_contain_text("Meeting")
    await keys.press("ArrowDown")
    await keys.press("Enter")
    await expect(page.locator(f'[name="general-1.0.0.{last_monday()}"]')).to_be_focused()
    await keys.press("ArrowUp")
    await expect(monday).to_be_focused()
    await keys.press("ArrowDown")
    await keys.type("soon")
    await keys.press("ArrowRight")
    await expect(page.locator("#week-problems")).to_contain_text("Write the time as 1h 30m")
    await keys.press("ArrowLeft")
    await keys.type("30m")
    await keys.press("Shift+Tab")
    await keys.type("Team meeting")
    await keys.press("Tab")
    await expect(page.locator("#week-problems")).not_to_contain_text("Write the time")
    await expect(page.locator("#week-sums tr").first).to_contain_text("4:30")
    assert await violations(page) == []
    await keys.press("Control+Enter")
    await expect(page.locator("#toasts")).to_contain_text("4\xa0cells saved.")
    assert await worked() == [(case.id, 0, 90), (case.id, 1, 45), (case.id, 2, 105), (1, 0, 30)]

    await monday.focus()
    await keys.type("+15")
    await keys.press("ArrowRight")
    await keys.press("Delete")
    await keys.press("Control+Enter")
    await expect(page.locator("#toasts")).to_contain_text("2\xa0cells saved.")
    assert await worked() == [(case.id, 0, 105), (case.id, 2, 105), (1, 0, 30)]


async def test_a_row_of_a_list_is_changed_in_its_place_and_a_submission_undone_by_keyboard(visitors: Visitors) -> None:
    """S1.12, S0.26: Ines changes an entry in its row, and the sums follow.

    `S` submits the ticked entries, and `Z` undoes that.
    """
    case = await open_case("VPN drops")
    async with transaction(INES):
        for minutes in (50, 20):
            work = Work(minutes=minutes, work_date=last_monday(), service_id=HELPDESK)
            await TimeEntry.log(INES, work, at=now(), case=case)
    page = await visitors.signed_in(INES.email)
    await page.goto(f"/agent/cases/{case.number}/time")
    await page.get_by_label("Tick all").check()
    first = page.locator("tr[data-row]").first
    await first.get_by_role("link", name=re.compile("^Edit")).press("Enter")
    form = page.locator("tr.changing")
    await expect(form.get_by_label("Duration")).to_be_focused()
    assert await violations(page) == []
    await form.get_by_label("Duration").fill("1h")
    await form.get_by_label("External comment").fill("Cabling")
    await page.keyboard.press("Control+Enter")
    await expect(form).to_have_count(0)
    await expect(page.locator("#entries")).to_contain_text("Cabling")
    await expect(page.locator("#time-totals")).to_contain_text("2\xa0entries, 1\xa0h\xa050\xa0min worked")
    await expect(page.locator("tr.group")).to_contain_text("1:50")
    await expect(page.get_by_role("button", name="Submit 1")).to_be_visible()
    await page.get_by_label("Tick all").check()
    await page.locator("body").press("s")
    await expect(page.locator("#toasts")).to_contain_text("2\xa0entries submitted.")
    await page.locator("body").press("z")
    await expect(page.locator("#toasts")).to_contain_text("2\xa0entries taken back.")
    await expect(page.locator("main .chip", has_text="Not submitted")).to_have_count(2)


async def test_a_week_is_filled_without_javascript_on_a_phone(visitors: Visitors) -> None:
    """S1.21: without JavaScript, at 390 px, a button adds a row and another saves the week."""
    case = await open_case("VPN drops")
    page = await visitors.signed_in(INES.email, javascript=False, width=390)
    await page.goto(f"/agent/time/week?from={last_monday()}")
    await page.locator("#week-add").fill(str(case.number))
    await page.get_by_role("button", name="Add row").click()
    cell = page.locator(f'[name="case-{case.number}.{HELPDESK}.0.{last_monday() + timedelta(days=4)}"]')
    await cell.fill("2h")
    await page.get_by_role("button", name="Save the week").click()
    await expect(page.locator("#toasts")).to_contain_text("1\xa0cell saved.")
    await expect(cell).to_have_value("2:00")
    assert await worked() == [(case.id, 4, 120)]
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
