"""Test the gallery in Chromium: accessible, within the content security policy, no sideways scrolling."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.look.gallery import FLAGS, PAGES, executable, served, sizes_of
from tests.look.mails import mails

AXE = Path(__file__).resolve().parent.parent / "vendor" / "axe.min.js"
NAMES = [*sorted(page.stem for page in PAGES.glob("[a-z]*.html")), *mails()]

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def gallery() -> Iterator[tuple[Browser, str]]:
    """Yield a running Chromium and the URL of the served gallery."""
    with served() as (address, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        yield browser, address
        browser.close()


def opened(browser: Browser, address: str, name: str, size: str = "1440", scheme: Any = "light") -> Page:
    """Open a page of the gallery at this screen size and in this colour scheme, and return it."""
    width, height = sizes_of(name)[size]
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce")
    page.goto(f"{address}/{name}.html")
    return page


ALL = [(name, size, scheme) for name in NAMES for size in sizes_of(name) for scheme in ("light", "dark")]
SOME = [("pieces", "1440", "light"), ("pieces", "390", "dark"), ("mail-digest", "360", "light")]


@pytest.mark.parametrize(
    ("name", "size", "scheme"), [one if one in SOME else pytest.param(*one, marks=pytest.mark.long) for one in ALL]
)
def test_a_page_fits_and_axe_finds_nothing(gallery: tuple[Browser, str], name: str, size: str, scheme: str) -> None:
    """R39: each page of the gallery meets WCAG 2.2 AA as far as axe can tell, and does not scroll sideways."""
    browser, address = gallery
    page = opened(browser, address, name, size, scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    page.evaluate(AXE.read_text(encoding="utf-8"))
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    if not name.startswith("mail-"):  # Mails have no landmarks, and the mail program gives them their background.
        rules.append("best-practice")
    elif scheme == "dark":
        rules = ["wcag2a", "wcag21a"]
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", rules)
    page.close()
    assert [
        (v["id"], [n["target"] for n in v["nodes"]], v["nodes"][0]["failureSummary"]) for v in found["violations"]
    ] == []
