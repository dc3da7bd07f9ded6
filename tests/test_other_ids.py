"""Test that no URL with two ids reaches an object through a wrong parent, such as a file through another case (R28)."""

import re

import pytest

from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.checksums import checksums
from tests.places import furnished
from tests.test_permissions import QUERIES, READING, browser_of, rows
from tests.web.test_form_pages import actor_of

pytestmark = [pytest.mark.usefixtures("clock"), pytest.mark.slow]

OTHERS = {
    "/cases/": "select number from cases where number::text <> $1 order by id desc limit 1",
    "/agent/cases/": "select number from cases where number::text <> $1 order by id desc limit 1",
    "/agent/customers/": "select id from customer where id::text <> $1 order by id limit 1",
    "/agent/setup/agents/": "select id from agent where id::text <> $1 order by id limit 1",
    "/agent/setup/fields/": "select id from case_field where id::text <> $1 order by id limit 1",
    "/agent/help/": "select id from help_article where id::text <> $1 order by id limit 1",
    "/agent/drafts/": "select id from invoice where number is null and id::text <> $1 order by id limit 1",
}
"""For each beginning of a route, a query for the id of another object of that kind. $1 is the first id in the URL."""
HARMLESS = (
    "POST /cases/{number}/watchers/{contact}/removal",
    "POST /agent/cases/{number}/watchers/{contact}/removal",
    "POST /agent/cases/{number}/tags/{tag}/removal",
    "POST /agent/cases/{number}/links/{other}/removal",
    "POST /agent/help/{article}/pictures/{name}/removal",
)
"""Routes that remove a part of an object. If the object has no such part, they redirect and change nothing."""

OF_ALL = ("GET /agent/cases/{number}/fields/{field}", "POST /agent/cases/{number}/fields/{field}")
"""Routes whose second id names a custom field. All cases have the same custom fields, so no case is a wrong parent."""


async def test_no_object_is_reached_through_another_one(app: Gate, dsn: str) -> None:
    """R28: a URL whose first id is replaced by the id of another object is refused and changes nothing.

    The test tries each route with two ids.
    """
    places, wrong, tried = await furnished(app.storage), [], 0
    browsers = {actor: await browser_of(app, actor) for actor in ("Noor", "Ada", "Max", "Ines")}
    before = await checksums(dsn, READING)
    for name, method, path, row in rows():
        beginning = next((one for one in OTHERS if path.startswith(one)), None)
        if path.count("{") < 2 or beginning is None or name in OF_ALL:
            continue
        first = re.match(rf"{re.escape(beginning)}([^/]+)", places.address(path))
        assert first
        async with transaction(SYSTEM, readonly=True) as tx:
            other = await tx.fetchval(OTHERS[beginning], first[1])
        address = f"{beginning}{other}{places.address(path)[first.end() :]}"
        browser = browsers[actor_of(row)]
        if method == "GET":
            answer = await browser.get(address)
        else:
            answer = await browser.post(address + QUERIES.get(name, ""), data={"csrf": await browser.csrf()})
        if answer.status_code not in ((303,) if name in HARMLESS else (404,) if method == "GET" else (404, 409)):
            wrong.append((name, address, answer.status_code))
        tried += 1
    assert (wrong, tried > 40) == ([], True), "\n".join(map(str, wrong))
    assert await checksums(dsn, READING) == before
    for browser in browsers.values():
        await browser.aclose()
