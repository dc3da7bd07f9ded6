"""Test logging time by keyboard in a browser: the panel that opens over a page, its finder, and the shortcuts."""

import re

import pytest
from playwright.async_api import Locator, Page, expect

from portal.database import transaction
from portal.people.readers import SYSTEM
from tests.agent.test_cases import open_case
from tests.e2e.conftest import Visitors
from tests.e2e.test_finder import AXE
from tests.world import GIL, INES, MAX

pytestmark = pytest.mark.slow


class Typist:
    """A person who uses only the keyboard. `strokes` is the number of keys pressed."""

    def __init__(self, page: Page) -> None:
        self.page, self.strokes = page, 0

    async def type(self, text: str) -> None:
        self.strokes += len(text)
        await self.page.keyboard.type(text)

    async def press(self, *keys: str) -> None:
        for key in keys:
            self.strokes += 1
            await self.page.keyboard.press(key)


async def at(visitors: Visitors, address: str, **options: bool | int) -> tuple[Page, Typist, Locator]:
    """Sign in Ines and open this URL. Return the page, her keyboard and the locator of the time panel."""
    page = await visitors.signed_in(INES.email, **options)
    await page.goto(address)
    if options.get("javascript", True):
        await expect(page.locator(".agent-bar .log-button[data-htmx-powered]")).to_be_visible()
    return page, Typist(page), page.locator("#log-panel")


async def entries() -> list[tuple[object, ...]]:
    async with transaction(SYSTEM) as tx:
        rows = await tx.fetch(
            "select case_id, service_id, general_kind_id, actual_minutes, external_comment from time_entry order by id"
        )
    return [tuple(row) for row in rows]


async def violations(page: Page) -> list[str]:
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations'], preload: false})")
    return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found["violations"]]


async def test_time_on_the_case_that_is_open_takes_five_keys_and_no_navigation(visitors: Visitors) -> None:
    """S1.13, S2.7, S2.8, S2.10: on a case's page, `L`, `45m` and Ctrl+Enter log time on that case.

    That takes five key presses and no navigation, and a half-written reply stays in its field.
    """
    case = await open_case("VPN drops")
    page, keys, panel = await at(visitors, f"/agent/cases/{case.number}")
    for place in ("#details", ".after-feed"):
        await expect(page.locator(place).get_by_role("link", name="Log time")).to_be_visible()
    await page.locator("#body").fill("Half a thought")
    await keys.page.locator("#body").press("Escape")
    await keys.press("l")
    await expect(panel.get_by_label("Duration")).to_be_focused()
    assert await violations(page) == []
    await keys.type("45m")
    await expect(panel.locator("#understood")).to_contain_text("45\xa0min, counts 45\xa0min")
    await keys.press("Control+Enter")
    await expect(panel).to_be_hidden()
    await expect(page.locator("#toasts")).to_contain_text(f"45\xa0min logged on #{case.number}.")
    await expect(page.locator("#feed .entry")).to_contain_text("45\xa0min · Helpdesk")
    await expect(page.locator("#body")).to_have_value("Half a thought")
    assert keys.strokes == 5
    assert await entries() == [(case.id, 1, None, 45, "")]


async def test_what_was_just_logged_is_undone_by_one_key(visitors: Visitors) -> None:
    case = await open_case("VPN drops")
    page, keys, panel = await at(visitors, f"/agent/cases/{case.number}")
    await keys.press("l")
    await expect(panel.get_by_label("Duration")).to_be_focused()
    await keys.type("45m")
    await keys.press("Control+Enter")
    await expect(page.locator("#toasts")).to_contain_text("Undo")
    async with page.expect_navigation():
        await keys.press("z")
    await expect(page).to_have_url(re.compile(rf"/agent/cases/{case.number}\?gone=45$"))
    await expect(page.locator("#toasts")).to_contain_text("45\xa0min deleted.")
    assert await entries() == []


async def test_a_case_is_found_by_its_customer_from_any_page(visitors: Visitors) -> None:
    """S0.2, S0.6, S2.16: on a page about customers, Ines types a customer's name in the time panel and finds its case.

    Choosing the case fills in its service and shows the fields of that service. After saving, the page is still open.
    """
    case = await open_case("Only this one", by=GIL)
    page, keys, panel = await at(visitors, "/agent/customers?q=glo")
    await keys.press("l")
    await expect(panel.get_by_label("Case, project or service")).to_be_focused()
    await keys.type("globex only")
    await expect(panel.locator("[role=option]")).to_have_text(
        [f"#{case.number} Only this one Globex, Globex helpdesk, Helpdesk"]
    )
    await keys.press("ArrowDown", "Enter")
    await expect(panel.get_by_label("Service", exact=True)).to_have_value("2")
    await expect(panel.get_by_label("External comment")).to_be_visible()
    await keys.press("Tab")
    await keys.type("1,5")
    await expect(panel.locator("#understood")).to_contain_text("1\xa0h\xa030\xa0min")
    await keys.press("Control+Enter")
    await expect(panel).to_be_hidden()
    await expect(page).to_have_url(re.compile(r"/agent/customers\?q=glo$"))
    assert await entries() == [(case.id, 2, None, 90, "")]


async def test_a_bare_number_is_minutes_and_one_key_makes_it_hours(visitors: Visitors) -> None:
    """S2.9: the duration `2` is read as 2 minutes; the panel asks *Did you mean 2 h?*, and `H` changes it to 2 h."""
    await open_case("VPN drops")
    _, keys, panel = await at(visitors, "/agent/time/new?on=service-1")
    understood = panel.page.locator("#understood")
    await keys.type("2")
    await expect(understood).to_contain_text("2\xa0min, counts")
    await expect(understood).to_contain_text("Did you mean 2\xa0h?")
    await keys.press("h")
    await expect(understood).to_contain_text("2\xa0h, counts 2\xa0h")
    await keys.press("ControlOrMeta+a")
    await keys.type("+15")
    await expect(panel.page.get_by_label("Duration")).to_have_value("2h+15")
    await expect(understood).to_contain_text("2\xa0h\xa015\xa0min, counts")
    await keys.press("ControlOrMeta+a")
    await keys.type("9-10:45")
    await expect(understood).to_contain_text("9:00 to 10:45, 1\xa0h\xa045\xa0min, counts")
    await keys.press("ControlOrMeta+a")
    await keys.type("soon")
    await expect(understood).to_contain_text("Write the time as 1h 30m")


async def test_a_refusal_stays_in_the_panel_with_what_was_typed(visitors: Visitors) -> None:
    """S2.38: the panel refuses general time without a description, stays open, and keeps the typed duration."""
    page, keys, panel = await at(visitors, "/agent/cases")
    await keys.press("l")
    await expect(panel.get_by_label("Case, project or service")).to_be_focused()
    await keys.type("meet")
    await expect(panel.locator("[role=option]")).to_have_text(["Meeting General time"])
    await keys.press("ArrowDown", "Enter", "Tab")
    await keys.type("30m")
    await keys.press("Control+Enter")
    await expect(panel.get_by_role("alert")).to_contain_text("Say what it was for")
    await expect(panel.get_by_label("Duration")).to_have_value("30m")
    await panel.get_by_label("Internal description").fill("Team meeting")
    await keys.press("Control+Enter")
    await expect(panel).to_be_hidden()
    await expect(page).to_have_url(re.compile("/agent/cases$"))
    assert await entries() == [(None, None, 1, 30, "")]


@pytest.mark.parametrize(("width", "dark"), [(1440, True), (390, False)])
async def test_the_panel_fits_every_window(visitors: Visitors, width: int, dark: bool) -> None:
    case = await open_case("VPN drops")
    page, _, panel = await at(visitors, f"/agent/cases/{case.number}", width=width, dark=dark)
    await page.locator(".agent-bar .log-button").click()
    await expect(panel.get_by_label("Duration")).to_be_focused()
    await panel.locator("summary").click()
    assert await violations(page) == []
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not await panel.evaluate("panel => panel.scrollWidth > panel.clientWidth")


async def test_without_script_the_same_form_is_a_page_that_leads_back(visitors: Visitors) -> None:
    case = await open_case("VPN drops")
    page = await visitors.signed_in(INES.email, javascript=False)
    await page.goto("/agent/customers?q=acme")
    await page.get_by_role("link", name="Log time").first.click()
    await page.get_by_label("Case, project or service").fill("VPN")
    await page.get_by_label("Duration").fill("9-10:45")
    await page.get_by_role("button", name="Log time").click()
    await expect(page).to_have_url(re.compile(r"/agent/customers\?q=acme$"))
    assert await entries() == [(case.id, 1, None, 105, "")]


async def listening(page: Page) -> None:
    """Wait until the page's script handles keys; the script then sets an attribute of the root element."""
    await expect(page.locator("html[data-keys]")).to_be_attached()


async def test_the_keys_are_the_same_on_every_page(visitors: Visitors) -> None:
    """On every page, `G` and a letter open an area, and `?` shows the table of shortcuts.

    On a case `S` opens the status menu, `N` puts the cursor into the note, and `M` takes the case. `P` and `V` open
    the menus of its priority and its assignment; Escape closes each menu.
    """
    case = await open_case("VPN drops")
    page = await visitors.signed_in(MAX.email)
    for letter, place in {
        "t": "time",
        "a": "approvals",
        "b": "billing",
        "i": "invoices",
        "u": "customers",
        "c": "cases",
    }.items():
        await listening(page)
        async with page.expect_navigation():
            await page.keyboard.press("g")
            await page.keyboard.press(letter)
        await expect(page).to_have_url(re.compile(f"/agent/{place}"))
    await listening(page)
    await page.keyboard.press("?")
    await expect(page.locator("#keys-help")).to_contain_text("log time, everywhere")
    await page.keyboard.press("Escape")
    await page.goto(f"/agent/cases/{case.number}")
    await listening(page)
    await page.keyboard.press("s")
    await expect(page.locator("#status-menu")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#status-menu")).to_be_hidden()
    await page.keyboard.press("n")
    await expect(page.locator("#body")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#body")).not_to_be_focused()
    await page.keyboard.press("m")
    await expect(page.locator("#case-head")).to_contain_text("Max Herrmann")
    for letter, menu, first in (("p", "#priority-menu", "button"), ("v", "#assign-menu", "[role=combobox]")):
        await page.keyboard.press(letter)
        await expect(page.locator(menu).locator(first).first).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.locator(menu)).to_be_hidden()


async def test_shift_and_x_tick_a_range(visitors: Visitors) -> None:
    for number in range(4):
        await open_case(f"Case {number}")
    page, keys, _ = await at(visitors, "/agent/cases?view=all")
    await keys.press("j", "x", "j", "j", "X")
    assert await page.locator("tbody .tick input:checked").count() == 3


@pytest.mark.parametrize("place", ["", "/day", "/week"])
async def test_what_is_logged_in_the_panel_appears_on_the_page_below(visitors: Visitors, place: str) -> None:
    """S1.20, S2.18: the list, the day and the week show an entry as soon as the panel saves it; Undo removes it."""
    case = await open_case("VPN drops")
    page, keys, panel = await at(visitors, f"/agent/time{place}")
    await keys.press("l")
    await expect(panel.get_by_label("Case, project or service")).to_be_focused()
    await panel.get_by_role("button", name="Close").click()
    await expect(panel).to_be_hidden()
    await keys.press("l")
    await expect(panel.get_by_label("Case, project or service")).to_be_focused()
    await keys.type(str(case.number))
    await expect(panel.locator(".suggestions [data-id]")).to_have_count(1)
    await keys.press("ArrowDown", "Enter")
    await expect(panel.get_by_label("External comment")).to_be_visible()
    await panel.get_by_label("Duration").fill("50m")
    await keys.press("Control+Enter")
    await expect(panel).to_be_hidden()
    await expect(page.locator("#week-sums" if place == "/week" else "#main [data-row]")).to_contain_text("0:50")
    await keys.press("z")
    await expect(page.locator("#toasts")).to_contain_text("50\xa0min deleted.")
    assert await entries() == []
