"""Test the finder, a field that suggests matches as one types: with keyboard, mouse and screen reader."""

from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from portal.database import transaction
from portal.people.customers import Customer, CustomerFacts
from portal.people.readers import SYSTEM
from tests.agent.test_cases import open_case
from tests.e2e.conftest import Visitors
from tests.world import GIL, NOW

pytestmark = pytest.mark.slow

AXE = Path(__file__).parent.parent / "vendor" / "axe.min.js"


async def customers(count: int) -> None:
    async with transaction(SYSTEM):
        for place in range(count):
            facts = CustomerFacts(name=f"Housing {place:02}", street="Weg 1", postcode="1", city="Kiel", country="DE")
            await Customer.create(facts, NOW)


async def opened(visitors: Visitors, **options: bool | int) -> tuple[Page, Locator]:
    """Open the filters of the list of all cases; return the page and the locator of its customer field."""
    page = await visitors.signed_in("ines@desk.example", **options)
    await page.goto("/agent/cases?view=all")
    await page.get_by_text("Filters", exact=True).click()
    if not options.get("javascript", True):
        await page.get_by_role("link", name="Choose filters").click()
    return page, page.get_by_label("Customer", exact=True)


async def test_a_filter_is_found_by_keyboard_alone(visitors: Visitors) -> None:
    case = await open_case("Only this one", by=GIL)
    await open_case("Not this one")
    page, field = await opened(visitors)
    await field.focus()
    await page.keyboard.type("glo")
    options = page.get_by_role("listbox").get_by_role("option")
    await expect(options).to_have_text(["Globex"])
    await expect(field).to_have_attribute("aria-expanded", "true")
    await page.keyboard.press("ArrowDown")
    await expect(options.first).to_have_attribute("aria-selected", "true")
    assert await field.get_attribute("aria-activedescendant") == await options.first.get_attribute("id")
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations'], preload: false})")
    assert [one["id"] for one in found["violations"]] == []
    await page.keyboard.press("Enter")
    await expect(field).to_have_value("Globex")
    await expect(field).to_have_attribute("aria-expanded", "false")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    assert "customer=2" in page.url
    assert "customer_typed" not in page.url
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator(f"#case-{case.number}")).to_be_visible()
    await expect(page.get_by_role("link", name="Remove the filter Customer: Globex")).to_be_visible()


async def test_escape_closes_the_list_and_another_letter_forgets_what_was_chosen(visitors: Visitors) -> None:
    page, field = await opened(visitors)
    await field.click()
    await page.get_by_role("listbox").get_by_role("option", name="Globex").click()
    hidden = page.locator("input[name=customer][type=hidden]")
    await expect(hidden).to_have_value("2")
    await field.press("End")
    await page.keyboard.type("x")
    await expect(hidden).to_have_value("")
    await expect(page.get_by_text("No customer has “Globexx” in its name")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("listbox")).to_have_count(0)
    await expect(field).to_be_focused()


async def test_the_last_suggestion_leads_to_the_next_ones(visitors: Visitors) -> None:
    await customers(23)
    page, field = await opened(visitors, width=390)
    await field.focus()
    await page.keyboard.type("housing")
    options = page.get_by_role("listbox").get_by_role("option")
    await expect(options).to_have_count(21)
    for _ in range(21):
        await page.keyboard.press("ArrowDown")
    await expect(options).to_have_count(23)
    await expect(options.nth(20)).to_have_attribute("aria-selected", "true")
    for _ in range(5):
        await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await expect(field).to_have_value("Housing 22")


async def test_the_same_works_without_script(visitors: Visitors) -> None:
    await open_case("Only this one", by=GIL)
    await open_case("Not this one")
    page, field = await opened(visitors, javascript=False)
    await field.fill("e")
    await page.get_by_role("button", name="Show the cases that fit").click()
    await page.get_by_role("alert").get_by_role("link", name="Globex").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await page.get_by_text("Filters", exact=True).click()
    await page.get_by_role("link", name="Choose filters").click()
    await expect(page.get_by_role("checkbox", name="Globex")).to_be_checked()
    await page.get_by_role("checkbox", name="Globex").uncheck()
    await page.get_by_label("Customer", exact=True).fill("acme")
    await page.get_by_role("button", name="Show the cases that fit").click()
    await expect(page.get_by_text("Not this one")).to_be_visible()
    await expect(page.locator("tbody tr")).to_have_count(1)


async def test_the_search_suggests_while_one_types_and_opens_what_is_chosen(visitors: Visitors) -> None:
    """Arrows and Enter open a suggestion, Escape closes the list, and Enter without a choice searches.

    One request is sent after a pause in typing, not after each key. In the search dialog, Escape closes only the list.
    """
    case = await open_case("Printer of the branch jams", by=GIL)
    page = await visitors.signed_in("gil@globex.example")
    await page.goto("/search")
    field, options = page.get_by_role("combobox"), page.get_by_role("listbox").get_by_role("option")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "suggestions" in request.url else None)
    await field.press_sequentially("printer", delay=20)
    await expect(options).to_have_text([f"#{case.number} Printer of the branch jams"])
    assert len(asked) == 1
    await page.keyboard.press("ArrowDown")
    await expect(options.first).to_have_attribute("aria-selected", "true")
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations'], preload: false})")
    assert [one["id"] for one in found["violations"]] == []
    await page.keyboard.press("Escape")
    await expect(field).to_have_attribute("aria-expanded", "false")
    await expect(field).to_have_value("printer")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/search?q=printer")
    await page.goto("/")
    await page.keyboard.press("/")
    await page.get_by_role("dialog").get_by_role("combobox").press_sequentially("print", delay=20)
    await expect(options).to_have_count(1)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("ArrowDown")
    await expect(options).to_have_count(1)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/cases/{case.number}")
