"""Test the map of the set-up with its search, and the first steps to the first invoice."""

import re

import pytest

from portal import first_steps
from portal.agent.setup.places import PLACES, found
from portal.database import transaction
from portal.people.customers import Customer, CustomerFacts
from portal.people.readers import SYSTEM
from portal.timekeeping.policy.switches import TimeRules
from portal.web.gate import Gate
from tests.agent.test_invoices import draft
from tests.billing.work import log, seen_sum
from tests.browser import Browser
from tests.test_permissions import MATRIX
from tests.world import INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")

BELOW = (
    "/agent/setup/agents/new",
    "/agent/setup/changes.csv",
    "/agent/setup/changes/people",
    "/agent/setup/changes/things",
    "/agent/setup/deadlines/hours",
    "/agent/setup/deadlines/services",
    "/agent/setup/deadlines/targets",
    "/agent/setup/outbox/people",
    "/agent/setup/workflow/follow-ups",
    "/agent/setup/service-templates/new",
)
"""Pages and files of the set-up that are not on the map, because another page of the set-up links to them."""


async def test_the_map_has_every_page_of_the_set_up() -> None:
    """Each page below /agent/setup, except those in `BELOW`, is on the map of the set-up.

    Each link on the map leads to an existing page.
    """
    mapped = {place.address.split("#")[0] for places in PLACES.values() for place in places}
    pages = {name.removeprefix("GET ") for name in MATRIX if name.startswith("GET ")}
    expected = {page for page in pages if page.startswith("/agent/setup/") and "{" not in page} - set(BELOW)
    assert expected <= mapped
    assert mapped <= pages


async def test_each_page_has_the_name_that_the_map_gives_it(app: Gate) -> None:
    """Title and heading of each set-up page are the name of the page on the map, except for the heading of *System*."""
    # The heading of *System* is the state of the system.
    wrong: dict[str, tuple[str, str]] = {}
    async with await Browser.of(app, NOOR, at=NOW) as browser:
        for place in (place for places in PLACES.values() for place in places if "#" not in place.address):
            page = (await browser.get(place.address)).text
            title, heading = (re.search(f"<{tag}[^>]*>(.*?)</{tag}>", page, re.S)[1].strip() for tag in ("title", "h1"))  # type: ignore[index]
            if title.partition(" · ")[0] != place.name or place.name not in (heading, "System"):
                wrong[place.name] = (title, heading)
    assert wrong == {}


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("IBAN", ["Company"]), ("invitation agents", ["Agents"]), ("CSV", ["Customers"]), ("ROUNDING", ["Customers", "Rules of time"]),
        ("no such word", []),
    ],
)  # fmt: skip
async def test_the_search_finds_what_a_page_decides(search: str, names: list[str]) -> None:
    assert [place.name for places in found(search).values() for place in places] == names


async def test_the_map_is_searched_without_script(app: Gate) -> None:
    """The search of the map of the set-up works as a plain form; a request by htmx gets the map alone."""
    async with await Browser.of(app, NOOR, at=NOW) as browser:
        page = (await browser.get("/agent/setup?q=iban")).text
        assert "/agent/setup/company" in page
        assert ">Case types<" not in page
        assert "first-steps" not in page
        piece = await browser.get("/agent/setup?q=iban", headers={"hx-request": "true"})
        assert piece.text.lstrip().startswith('<div id="map"')
        nothing = (await browser.get("/agent/setup?q=%00<x>")).text
        assert "No setting fits" in nothing
        assert "<x>" not in nothing
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert (await browser.get("/agent/setup")).status_code == 403


async def left() -> list[str]:
    async with transaction(SYSTEM, readonly=True):
        steps = await first_steps.first_steps(await TimeRules.find(), NOW)
        return [step.name for step in steps.left]


async def test_each_step_is_ticked_by_what_there_is(app: Gate) -> None:
    """Each of the first steps is ticked once its data exist; after the first invoice, the steps are no longer shown.

    Before the first invoice, `/` redirects Noor to the set-up. Afterwards, `/` redirects her to the list of cases.
    """
    assert await left() == ["Time under a service", "An approval", "A billing run", "The first invoice"]
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        assert (await noor.get("/")).headers["location"] == "/agent/setup"
        page = (await noor.get("/agent/setup")).text
        assert "What is missing before the first invoice?" in page
        assert re.search(r'class="button primary" href="/agent/cases/new">Open a case', page)
    async with transaction(MAX):
        entry = await log(60)
    assert await left() == ["An approval", "A billing run", "The first invoice"]
    async with transaction(MAX):
        draft_id = await draft(entry)
    assert await left() == ["The first invoice"]
    async with await Browser.of(app, MAX, at=NOW) as browser:
        issued = await browser.send_form(f"/agent/drafts/{draft_id}/issue", await seen_sum(draft_id))
        assert issued.status_code == 303
        assert (await browser.get("/")).headers["location"] == "/agent/cases"
    assert await left() == []
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        assert (await noor.get("/")).headers["location"] == "/agent/cases"
        page = (await noor.get("/agent/setup")).text
        assert "first-steps" not in page
        assert "<h1>Set-up</h1>" in page


async def test_the_steps_can_be_hidden_and_shown_again(app: Gate) -> None:
    """An admin hides the first steps for all admins, and can show them again; an agent gets 403 for hiding them.

    Hiding them twice is harmless.
    """
    async with await Browser.of(app, INES, at=NOW) as ines:
        assert (await ines.send_form("/agent/setup/first-steps/dismissal")).status_code == 403
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        for _ in range(2):
            assert (await noor.send_form("/agent/setup/first-steps/dismissal")).status_code == 303
        assert (await noor.get("/")).headers["location"] == "/agent/cases"
        page = (await noor.get("/agent/setup")).text
        assert 'id="first-steps"' not in page
        assert "Show the first steps again" in page
        assert "hid the first steps" in (await noor.get("/agent/setup/changes")).text
        assert (await noor.send_form("/agent/setup/first-steps/return")).status_code == 303
        assert 'id="first-steps"' in (await noor.get("/agent/setup")).text


async def test_what_is_missing_later_is_said_on_the_map(app: Gate) -> None:
    facts = CustomerFacts(name="Initech", street="Weg 1", postcode="24103", city="Kiel", country="DE")
    async with transaction(SYSTEM):
        await Customer.create(facts, NOW)
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        await noor.send_form("/agent/setup/first-steps/dismissal")
        assert "No service yet: Initech." in (await noor.get("/agent/setup")).text
