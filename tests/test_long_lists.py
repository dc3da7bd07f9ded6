"""Test that no page lists more than 100 rows, however many there are (R81)."""

import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest

from portal.database.pages import SIZE
from portal.storage import Storage
from portal.web.gate import Gate
from tests.browser import HOST, Browser
from tests.forms import form_of
from tests.multiplied import multiply
from tests.pages import MORE
from tests.places import Places, furnished
from tests.plans import forget_plans
from tests.snapshots import once
from tests.test_permissions import MATRIX, OK, STREAMS
from tests.world import ADA, NOOR, NOW

CHOICES = ("option", "label")
"""Elements that a form may contain more than 100 times, because each is a value that can be chosen."""
ROWS = ("li", "tr")
"""Elements that count as rows of one list even if their classes differ.

Other sibling elements count as rows of one list only if their tags and classes are equal.
"""
VOID = ("br", "col", "hr", "img", "input", "link", "meta", "path", "circle", "rect", "line", "polyline", "use")


class Lists(HTMLParser):
    """Finds the elements of a page that have more than `SIZE` children of one kind, that is, rows of one list.

    `too_long` maps a description of the element and of the kind of children to the number of these children. A row of
    the class `explained` belongs to the row above it and is not counted.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str, Counter[str]]] = [("", "", Counter())]
        self.too_long: dict[str, int] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in CHOICES and given.get("class") != "explained":
            self.open[-1][2][tag if tag in ROWS else f"{tag}.{given.get('class')}"] += 1
        if tag not in VOID:
            self.open.append((tag, given.get("id") or given.get("class") or "", Counter()))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1][2][tag] += 1

    def handle_endtag(self, tag: str) -> None:
        if any(name == tag for name, _, _ in self.open):
            ended = ""
            while ended != tag:
                ended, _, children = self.open.pop()
                inside = " ".join(f"{name}[{about}]" for name, about, _ in self.open[-2:])
                self.too_long |= {f"{inside} {ended}: {one}": n for one, n in children.items() if n > SIZE}


async def crowded(storage: Storage) -> Places:
    """Create more than 100 rows in every table whose rows a page lists, and return the objects with their URLs.

    Only the first test of this module creates the rows; the others restore them from a snapshot.
    """
    assert storage.folder is not None

    async def create() -> Places:
        places = await furnished(storage)
        assert await multiply() == {}, (
            "say in tests/multiplied.py in what copies of these tables differ, or why there are few rows"
        )
        return places

    places = await once("crowded", storage.folder, create)
    await forget_plans()
    return places


def addresses_of(actor: str, places: Any) -> list[str]:
    """Return the URLs of all pages and fragments that the person `actor` may open, for the objects in `places`."""
    routes = [name.removeprefix("GET ") for name in MATRIX if name.startswith("GET ") and name not in STREAMS]
    open_to = [places.address(route) for route in routes if MATRIX[f"GET {route}"].of(actor) == OK]
    return [address for address in open_to if not re.search(r"\.[a-z]+$", address)] + MORE[actor]


@pytest.mark.slow
@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("actor", ["Ada", "Noor"])
async def test_no_page_lists_more_than_a_hundred_rows(app: Gate, actor: str) -> None:
    """R81: with more than a hundred rows in every table, no page shows more than a hundred elements of one list."""
    places = await crowded(app.storage)
    too_long = {}
    async with await Browser.of(app, {"Ada": ADA, "Noor": NOOR}[actor], at=NOW) as browser:
        for address in addresses_of(actor, places):
            answer = await browser.get(address)
            assert answer.status_code < 500, address
            if answer.headers.get("content-type", "").startswith("text/html") and (
                found := Lists(answer.text).too_long
            ):
                too_long[address] = found
    assert too_long == {}, too_long


@pytest.mark.usefixtures("clock")
async def test_two_lists_of_a_page_are_turned_each_by_itself(app: Gate) -> None:
    """R81: on the page of a customer, the links of the contacts and of the contracts each keep the other list's page.

    The links of the contracts also jump to the list of contracts (`#contracts`). After a refused form, a list
    still shows the page that it showed before.
    """
    places = await crowded(app.storage)
    customer = places.address("/agent/customers/{customer}")
    async with await Browser.of(app, NOOR, at=NOW) as noor:
        page = (await noor.get(f"{customer}?page=2")).text
        following = f"{customer}?page=2&amp;contracts=2#contracts"
        assert f'href="{following}" rel="next"' in page
        page = (await noor.get(following.replace("&amp;", "&"))).text
        assert f'href="{customer}?page=2&amp;contracts=1#contracts" rel="prev"' in page
        assert f'href="{customer}?contracts=2&amp;page=1" rel="prev"' in page
        form = form_of(page, f"{customer}/default-service")
        first, second = form.offered["service_id"][1:3]
        old = {name: value for name, value in form.fields.items() if name != "csrf"} | {"case_type_id": ""}
        await noor.send_form(f"{customer}/default-service", old | {"service_id": first})
        for referer in ("", f"http://{HOST}/agent/cases?page=3", f"http://{HOST}{customer}?page=2&contracts=2"):
            refused = await noor.send_form(f"{customer}/default-service", old | {"service_id": second}, referer=referer)
            assert refused.status_code == 409
            assert f'href="{customer}?' in refused.text
            assert f'href="{customer}/default-service?page' not in refused.text
        path = "/agent/setup/roles"
        refused = await noor.send_form(path, {"name": ""}, referer=f"http://{HOST}{path}?page=2")
        assert refused.status_code == 422
        assert f'href="{path}?page=1" rel="prev"' in refused.text


def test_a_list_of_more_than_a_hundred_rows_is_found() -> None:
    rows = "<li>One<br></li>" * (SIZE + 1)
    assert Lists(f'<main><ul id="all">{rows}</ul></main>').too_long == {"[] main[] ul: li": SIZE + 1}
    assert Lists(f"<main><ul>{'<li></li>' * SIZE}</ul></main>").too_long == {}
