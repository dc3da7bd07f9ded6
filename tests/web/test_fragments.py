"""Test which responses are HTML fragments and which are whole pages, as htmx needs them."""

import itertools
from pathlib import Path

import pytest

import portal
from portal.people.readers import Reader
from portal.web.gate import Gate
from tests.browser import Browser
from tests.pages import pages_of
from tests.places import furnished
from tests.world import ADA, NOOR

RESTORE = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
BOOSTED = {"HX-Request": "true", "HX-Boosted": "true"}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "reader"), [("Ada", ADA), ("Noor", NOOR)])
async def test_going_back_gets_a_whole_page_from_every_address(app: Gate, name: str, reader: Reader) -> None:
    """When Ada or Noor goes back or follows a boosted link, every URL responds with a whole page.

    Each URL is requested in one of the two ways, by turns, because one function decides for all of them.
    """
    places, by_turns = await furnished(app.storage), itertools.cycle((RESTORE, BOOSTED))
    async with await Browser.of(app, reader) as browser:
        for path in [*map(places.address, pages_of(name)), "/no-such-page"]:
            headers = next(by_turns)
            answer = await browser.get(path, headers=headers)
            assert answer.text.lstrip().lower().startswith("<!doctype html>"), (path, headers)
            assert answer.headers["vary"] == "HX-Request, HX-Boosted, HX-History-Restore-Request, Accept-Encoding"


@pytest.mark.parametrize(("reader", "path"), [(ADA, "/invoices"), (NOOR, "/agent/invoices"), (ADA, "/no-such-page")])
async def test_a_list_that_fetches_itself_again_gets_a_fragment(app: Gate, reader: Reader, path: str) -> None:
    async with await Browser.of(app, reader) as browser:
        fragment = (await browser.get(path, headers={"HX-Request": "true"})).text
        assert fragment.lstrip().startswith("<div")


def test_only_one_function_decides_what_is_a_fragment() -> None:
    """Only `web/visit.py` and `web/errors.py` read the header `HX-Request`."""
    folder = Path(portal.__file__).parent
    reading = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if '"hx-request"' in path.read_text().lower()
    }
    assert reading == {"web/errors.py", "web/visit.py"}
