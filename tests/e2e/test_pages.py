"""Test every page of the permission matrix once in a browser, with one object of every kind in the database.

Each page has no axe violation, does not scroll sideways on a phone, violates no content security policy, and has no
dead link. Each page has a heading, a title and at most one primary button. A page that is opened a second time fetches
only its HTML and its event stream, because everything else is in the browser's cache.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.async_api import Page, ViewportSize

from portal.settings import Settings
from portal.storage import open_storage
from tests.e2e.conftest import Visitors
from tests.e2e.wire import Wire
from tests.examples import turns
from tests.pages import MORE, NO_PAGES, STEPS, pages_of
from tests.places import furnished
from tests.test_permissions import MATRIX

pytestmark = pytest.mark.slow

AXE = Path(__file__).parent.parent / "vendor" / "axe.min.js"
RULES = """exclude => axe.run({exclude}, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], resultTypes: ['violations'], preload: false
}).then(found => found.violations.map(({id, nodes}) => `${id}: ${JSON.stringify(nodes.map(node => node.target))}`))"""
FRAME = [".rail", ".agent-bar", ".keys-help", ".customer-bar", ".customer-foot"]
"""Selectors of the parts that all pages of an area share, which are three quarters of the elements of most pages.

For each person, axe checks these parts on only `WHOLE` pages, chosen anew each day; with `--all`, on every page.
"""
WHOLE = 5

WIDE, NARROW = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)
"""The windows of a desktop and of a phone. Every second page is opened in the narrow one and then widened for axe."""


MOST = 12_000
"""The agents' list of cases, which has only a few rows here, must have fewer bytes than this, headers included."""

LOOKS: dict[str, tuple[int, Literal["light", "dark"]]] = {
    "/agent/cases": (1440, "dark"),
    "/agent/cases/{number}": (390, "dark"),
    "/invoices/{number}": (390, "light"),
}
"""Pages that axe checks a second time, at this width and in this colour scheme: a list, a case and a document."""


CONTENT = """() => ({
    headings: document.querySelectorAll('h1').length,
    title: document.title.split(' · ')[0].trim(),
    primary: [...document.querySelectorAll('.button.primary, .button.final')]
        .filter(button => button.checkVisibility({visibilityProperty: true}) && !button.matches('.split [popovertarget]'))
        .map(button => button.innerText),
})"""
LINKS = """() => [...document.querySelectorAll('a[href]')].map(link => link.getAttribute('href')).map(href => ({
    href, leads: !href.startsWith('#') || href === '#' || document.getElementById(href.slice(1)) !== null
}))"""
"""Two scripts: `CONTENT` returns facts about a page, and `LINKS` returns the links of a page.

A single script takes a third of the time of several locators.
"""


def test_every_page_is_looked_at() -> None:
    """Ada, Noor and a visitor who is not signed in may together open every page of the permission matrix."""
    seen = {*pages_of("nobody"), *pages_of("Ada"), *pages_of("Noor")}
    assert {f"GET {path}" for path in seen} | {*NO_PAGES, *STEPS} == {
        name for name in MATRIX if name.startswith("GET ")
    }


async def violations(page: Page, exclude: Sequence[str] = ()) -> list[str]:
    """Return the accessibility violations that axe finds on the open page, as strings with the rule and the elements.

    axe does not look into what the selectors `exclude` match. The script of axe is added to the page if it is missing.
    """
    if not await page.evaluate("'axe' in window"):  # If axe is an init script of the page, it need not be sent again.
        await page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = await page.evaluate(
        RULES, list(exclude)
    )  # Returning all that axe finds out would take a tenth of axe's time.
    return found


async def violations_in(page: Page, width: int, scheme: Literal["light", "dark"]) -> list[str]:
    """Reload the open page at this width and in this colour scheme, and return its accessibility violations.

    Each begins with the width and the scheme. The page is 1440 px wide and light afterwards.
    """
    await page.set_viewport_size({"width": width, "height": 900})
    await page.emulate_media(color_scheme=scheme)
    await page.reload()
    found = await violations(page)
    await page.set_viewport_size(WIDE)
    await page.emulate_media(color_scheme="light")
    return [f"{width} px, {scheme}: {one}" for one in found]


async def faults_of(page: Page, address: str, exclude: Sequence[str] = ()) -> list[str]:
    """Return the open page's faults in accessibility, headings, title, primary buttons and width at 390 px.

    Each begins with `address`. axe does not look into what `exclude` matches. The
    window changes from 1440 to 390 px or back, and keeps this width: the next page is loaded at this width, and so is
    laid out twice and not three times.
    """
    faults = []
    loaded_narrow = page.viewport_size == NARROW
    if loaded_narrow:
        faults += await sideways(page)
        await page.set_viewport_size(WIDE)
    faults += await violations(page, exclude)
    content = await page.evaluate(CONTENT)
    if content["headings"] != 1:
        faults.append("not one h1")
    if not content["title"]:
        faults.append(f"title {await page.title()!r}")
    if len(content["primary"]) > 1:
        faults.append(f"{len(content['primary'])} primary buttons: {content['primary']}")
    if not loaded_narrow:
        await page.set_viewport_size(NARROW)
        faults += await sideways(page)
    return [f"{address}: {fault}" for fault in faults]


async def sideways(page: Page) -> list[str]:
    """Return a message if the open page is wider than its window, otherwise an empty list."""
    return ["scrolls sideways at 390 px"] * await page.evaluate("document.documentElement.scrollWidth > innerWidth")


async def look(page: Page, wire: Wire, address: str) -> tuple[int, dict[str, int]]:
    """Open the page. Return its HTTP status, and the number of bytes that were fetched from each path.

    The paths that `later` returns, and the images of cases, are left out.
    """
    wire.clear()
    answer = await page.goto(address)
    assert answer is not None
    await page.evaluate("document.fonts.ready")
    fetched = await wire.fetched()
    # Images of a case are never cached, because the next person who signs in in this browser may not see them.
    return answer.status, {
        path: size
        for path, size in fetched.items()
        if path not in later(address) and not path.endswith("/picture.webp")
    }


def later(address: str) -> set[str]:
    """Return the paths that the page at `address` may fetch after it has loaded.

    Every page of agents fetches the counts of their own views. A case fetches the hours left of its service and who
    else looks at it. A mail in the outbox fetches its frame, which is a document of its own. An error page reads no
    rows of the database, so the browser fetches the timers of its bar afterwards.
    """
    timers = {"/agent/timer/bar"} if "no-such" in address else set()
    parts = {f"{address}/{part}" for part in ("standing", "presence", "html")}
    return timers | parts | {"/agent/cases/views/counts"}


async def dead_links(page: Page, links: dict[str, str]) -> list[str]:
    """Return a message for each link that does not answer 200; `links` maps each URL to a page that links to it."""
    dead = []
    for link, where in sorted(links.items()):
        answer = await page.context.request.get(link)
        if answer.status != 200:
            dead.append(f"{where}: {link} answers {answer.status}")
    return dead


@pytest.mark.parametrize(("actor", "part"), [("Ada", 0), ("Noor", 0), ("Noor", 1), ("nobody", 0)])
async def test_every_page_is_accessible_fits_and_leads_somewhere(
    visitors: Visitors, settings: Settings, actor: str, part: int
) -> None:
    """R39, D14: each page meets WCAG 2.2 AA as far as axe can tell, fits 1440 and 390 px, and has no dead link.

    A page that is opened a second time fetches nothing from the server but itself.
    """
    places = await furnished(open_storage(settings.storage_url), datetime.now(UTC))
    emails = {"Ada": "ada@acme.example", "Noor": "noor@desk.example"}
    page = await (visitors.signed_in(emails[actor]) if actor in emails else visitors.page())
    await page.add_init_script(path=AXE)
    wire = await Wire.of(page)
    looks = {places.address(route): kind for route, kind in LOOKS.items()}
    faults: list[str] = []
    links: dict[str, str] = {}
    addresses = [*(places.address(route) for route in pages_of(actor)), *MORE.get(actor, [])]
    mine = addresses[part::2] if actor == "Noor" else addresses
    whole = turns(mine, WHOLE)
    for address in mine:
        status, fetched = await look(page, wire, address)
        if status != (404 if "no-such" in address else 200):
            faults.append(f"{address}: answers {status}")
        if len(fetched) != 1:  # The first look may fetch files that no page needed yet.
            await page.goto("about:blank")
            _, fetched = await look(page, wire, address)
        if len(fetched) != 1 or (address == "/agent/cases" and sum(fetched.values()) >= MOST):
            faults.append(f"{address}: fetches {fetched}")
        faults += await faults_of(page, address, () if address in whole else FRAME)
        if address in looks:
            faults += [f"{address}: {one}" for one in await violations_in(page, *looks[address])]
        for found in await page.evaluate(LINKS):
            link = urlsplit(urljoin(page.url, found["href"]))
            if f"{link.scheme}://{link.netloc}" == visitors.url and not found["href"].startswith("#"):
                links.setdefault(link._replace(fragment="").geturl(), address)
            if not found["leads"]:
                faults.append(f"{address}: {found['href']} leads nowhere")
    assert len(links) > (0 if actor == "nobody" else 10)
    opened = {urljoin(visitors.url, address) for address in addresses}  # The other part opens the rest.
    faults += await dead_links(page, {link: where for link, where in links.items() if link not in opened})
    assert faults == []
