"""Test in a browser that a live update shows what others changed and keeps what the reader has just done."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.async_api import Page, expect

from portal.database import transaction
from portal.desk import Case, Priority, Status
from portal.desk.deadlines.calendars import WEEKDAYS, HoursFacts
from tests.agent.test_cases import open_case
from tests.desk.deadlines.promises import promise
from tests.e2e.conftest import Visitors
from tests.world import ADA, MAX, NOOR

pytestmark = pytest.mark.slow


async def shown(visitors: Visitors, address: str, **options: bool | int) -> Page:
    """Sign in Max, open the URL, and return the page once its event stream is open and its shortcuts work."""
    page = await visitors.signed_in(MAX.email, **options)
    async with page.expect_response(lambda answer: "/agent/live" in answer.url):
        await page.goto(address)
    await expect(page.locator("html[data-keys]")).to_be_attached()
    return page


async def answered(case: Any, text: str) -> None:
    """Add a reply of Ada's to the case."""
    async with transaction(ADA):
        found = await Case.find(case.number, ADA)
        await found.reply(by=ADA, text=text, files=[], at=datetime.now(UTC))


async def test_a_menu_that_is_open_stays_open_when_the_page_changes_around_it(visitors: Visitors) -> None:
    """While Max has the status menu open, Noor takes the case and changes its status.

    The head of the page shows both changes at once, and the menu stays open and keeps its focus. Once the menu is
    closed and opened again, it offers the statuses that may follow the new status.
    """
    case = await open_case("VPN drops")
    page = await shown(visitors, f"/agent/cases/{case.number}")
    menu, head = page.locator("#status-menu"), page.locator("#case-head")
    waiting = menu.get_by_role("button", name="Waiting for others", include_hidden=True)
    await page.keyboard.press("s")
    await expect(menu.locator("button").first).to_be_focused()
    await expect(waiting).to_have_count(1)
    async with transaction(NOOR):
        held = await Case.find(case.number, NOOR, hold=True)
        await held.take(by=NOOR, at=datetime.now(UTC))
        await held.change_status(Status.WAITING_FOR_OTHERS, by=NOOR, at=datetime.now(UTC))
    await expect(head.locator(".status").first).to_contain_text("Waiting for others")
    await expect(head.get_by_role("button", name="Take it")).to_have_count(0)
    await expect(menu).to_be_visible()
    await expect(menu.locator("button").first).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(menu).to_be_hidden()
    await expect(waiting).to_have_count(0)
    await page.keyboard.press("s")
    await menu.get_by_role("button", name="Resolved").click()
    await expect(menu).to_be_hidden()
    await expect(head.locator(".status").first).to_contain_text("Resolved")


async def test_a_key_works_at_once_after_a_menu_was_closed(visitors: Visitors) -> None:
    case = await open_case("VPN drops")
    page = await shown(visitors, f"/agent/cases/{case.number}")
    for _ in range(5):
        await page.keyboard.press("s")
        await expect(page.locator("#status-menu")).to_be_visible()
        await page.evaluate("document.querySelector('#status-menu').hidePopover()")
        await page.keyboard.press("n")
        await expect(page.locator("#body")).to_be_focused()
        await page.keyboard.press("Escape")


async def test_a_note_that_is_being_typed_stays_when_a_reply_arrives(visitors: Visitors) -> None:
    """If Ada's reply arrives while Max types a note, his tab, text, focus and cursor position stay."""
    case = await open_case("VPN drops")
    page = await shown(visitors, f"/agent/cases/{case.number}")
    await page.keyboard.press("n")
    await page.keyboard.type("Asked the vendor")
    await page.keyboard.press("Home")
    await answered(case, "It dropped again.")
    await expect(page.locator("#feed")).to_contain_text("It dropped again.")
    await page.keyboard.type("I ")
    await expect(page.locator("#body")).to_have_value("I Asked the vendor")
    await expect(page.locator("[name=kind]:checked")).to_have_value("note")


async def test_the_row_at_the_keys_and_the_ticks_stay_when_a_case_arrives(visitors: Visitors) -> None:
    for number in range(3):
        await open_case(f"Case {number}")
    page = await shown(visitors, "/agent/cases?view=all")
    for key in ("j", "x", "j"):
        await page.keyboard.press(key)
    rows = page.locator("tbody tr")
    at, ticked = await page.locator("tr[data-at-key]").get_attribute("id"), page.locator("tbody input:checked")
    value = await ticked.get_attribute("value")
    await open_case("One more")
    await expect(rows).to_have_count(4)
    await expect(page.locator("tr[data-at-key]")).to_have_attribute("id", str(at))
    await expect(ticked).to_have_count(1)
    await expect(ticked).to_have_attribute("value", str(value))


async def test_an_opened_rail_stays_open_on_a_phone(visitors: Visitors) -> None:
    await open_case("VPN drops")
    page = await shown(visitors, "/agent/cases?view=all", width=390)
    await page.locator("[data-opens=rail]").click()
    await expect(page.locator("#rail")).to_be_visible()
    await open_case("One more")
    await expect(page.locator("#cases")).to_contain_text("One more")
    await expect(page.locator("#rail")).to_be_visible()
    await expect(page.locator("#rail a").first).to_be_focused()


async def test_the_minutes_of_a_near_deadline_run_on_by_themselves(visitors: Visitors) -> None:
    """S3.20: an open page counts down to the deadline and reports when it has passed, without asking the server."""
    await promise(hours=HoursFacts(**{f"hours_{day}": "0-24" for day in WEEKDAYS}, time_zone="UTC"))
    case = await open_case("VPN drops", priority=Priority.HIGH)
    page = await visitors.signed_in(MAX.email)
    await page.clock.install()
    await page.goto("/agent/cases")
    due = page.locator(f"#case-{case.number} .chip")
    await expect(due).to_have_text(re.compile(r"Reply in (59|60)\smin|Reply in 1\sh"))
    await page.clock.fast_forward(20 * 60_000)
    await expect(due).to_have_text(re.compile(r"Reply in (39|40)\smin"))
    await page.clock.fast_forward(45 * 60_000)
    await expect(due).to_have_text(re.compile(r"Reply [567]\smin over"))
    await expect(due).to_have_class("chip late")


async def test_an_open_log_shows_what_happens_on_its_case(visitors: Visitors) -> None:
    """S3.2: the open log of a case shows new replies without a reload, but no events that its filter leaves out."""
    case = await open_case("VPN drops")
    page = await shown(visitors, f"/agent/cases/{case.number}/log?kind=messages")
    lines = page.locator("#log tbody tr")
    before = await lines.count()
    await answered(case, "It still drops.")
    await expect(lines).to_have_count(before + 1)
    async with transaction(NOOR):
        await (await Case.find(case.number, NOOR)).take(by=NOOR, at=datetime.now(UTC))
    await answered(case, "And again.")
    await expect(lines).to_have_count(before + 2)
    await expect(page.locator("#log")).not_to_contain_text("took the case")
