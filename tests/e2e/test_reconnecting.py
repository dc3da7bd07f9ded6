"""Test live pages after a lost connection: they reconnect to the event stream and show what changed in the meantime."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest
from playwright.async_api import Page, Route, expect

from portal.database import transaction
from portal.desk import Case
from portal.outbox import tell
from portal.people.readers import SYSTEM
from portal.settings import Settings
from portal.storage import open_storage
from tests.e2e.conftest import Visitors
from tests.places import furnished
from tests.world import ADA, INCIDENT

pytestmark = pytest.mark.slow

STREAM = "**/agent/live?*"
PAUSE_MS = 6_000
"""A pause that is longer than a page waits before it tries again to open its event stream."""


async def open_case(subject: str) -> None:
    async with transaction(ADA):
        await Case.open(by=ADA, subject=subject, text="It drops.", case_type_id=INCIDENT, at=datetime.now(UTC))


def refused_stream(page: Page) -> object:
    return page.expect_event("requestfailed", lambda request: "/agent/live" in request.url)


def forgive_refused(visitors: Visitors) -> None:
    """Remove the errors that Chromium reported for requests that the test itself blocked."""
    visitors.complaints[:] = [said for said in visitors.complaints if "Failed to fetch" not in said]


async def test_what_happens_before_the_stream_is_open_is_shown(visitors: Visitors) -> None:
    """A list shows a case that was opened after the list was rendered and before its event stream began."""
    page = await visitors.signed_in("ines@desk.example")

    async def late(route: Route) -> None:
        await open_case("While the page was loading")
        await route.continue_()

    await page.route(STREAM, late)
    await page.goto("/agent/cases?view=all")
    await expect(page.get_by_text("While the page was loading")).to_be_visible()


async def test_a_page_is_live_however_slowly_its_scripts_arrive(visitors: Visitors) -> None:
    """A page opens its event stream even if its script arrives late: htmx and the stream extension are one file."""
    page = await visitors.signed_in("ines@desk.example")

    async def slowly(route: Route) -> None:
        await asyncio.sleep(0.5)
        await route.continue_()

    await page.route("**/script.js*", slowly)
    async with page.expect_event("response", lambda response: "/agent/live" in response.url):
        await page.goto("/agent/cases?view=all")


async def test_a_stream_that_was_refused_at_first_is_tried_again(visitors: Visitors) -> None:
    page = await visitors.signed_in("ines@desk.example")
    await page.clock.install()
    await page.route(STREAM, lambda route: route.abort())
    async with refused_stream(page):
        await page.goto("/agent/cases?view=all")
    await open_case("Before there was a stream")
    await page.unroute(STREAM)
    await page.clock.fast_forward(PAUSE_MS)
    await expect(page.get_by_text("Before there was a stream")).to_be_visible()
    forgive_refused(visitors)


async def test_a_stream_that_opens_slowly_is_opened_once(visitors: Visitors) -> None:
    """A page whose event stream is slow to open does not try to open a second one in the meantime."""
    page = await visitors.signed_in("ines@desk.example")
    await page.clock.install()
    asked: list[str] = []

    async def slowly(route: Route) -> None:
        asked.append(route.request.url)
        await page.clock.run_for(PAUSE_MS)
        await route.continue_()

    await page.route(STREAM, slowly)
    async with page.expect_event("response", lambda response: "/agent/live" in response.url):
        await page.goto("/agent/cases?view=all")
    await page.clock.run_for(PAUSE_MS)
    assert len(asked) == 1


async def test_a_list_that_lost_its_stream_shows_what_came_meanwhile(visitors: Visitors) -> None:
    """A list that has lost its event stream reconnects and fetches its rows again, so that it shows missed changes."""
    page = await visitors.signed_in("ines@desk.example")
    await page.goto("/agent/cases?view=all")
    await open_case("Before the loss")
    await expect(page.get_by_text("Before the loss")).to_be_visible()
    # Close the connection and block it for a while, as a restarting server would.
    await page.route(STREAM, lambda route: route.abort())
    async with refused_stream(page):
        await page.evaluate("document.querySelector('#live')._htmx.sse.reader.cancel()")
    async with refused_stream(page):
        await open_case("During the loss")
    await expect(page.get_by_text("During the loss")).to_have_count(0)
    await page.unroute(STREAM)
    await expect(page.get_by_text("During the loss")).to_be_visible()
    forgive_refused(visitors)


@pytest.mark.long
async def test_a_list_that_cannot_fetch_itself_for_a_moment_keeps_its_rows(
    visitors: Visitors, settings: Settings, dsn: str
) -> None:
    """If a list's refresh gets 503, because a table is locked, the list keeps its rows and fetches them again later."""
    await furnished(open_storage(settings.storage_url), datetime.now(UTC))
    page = await visitors.signed_in("ada@acme.example")
    await page.goto("/invoices")
    rows = page.locator("#invoices tbody tr")
    count = await rows.count()
    assert count > 0
    owner = await asyncpg.connect(dsn)
    try:
        async with page.expect_event("response", lambda response: response.status == 503), owner.transaction():
            await owner.execute("lock table document, statement in access exclusive mode")
            async with transaction(SYSTEM):
                await tell(
                    kind="invoice.issued", subject_id=1, customer_id=ADA.customer_id, contact_may_know=True,
                    actor=None, at=datetime.now(UTC),
                )  # fmt: skip
            await asyncio.sleep(6)
    finally:
        await owner.close()
    async with page.expect_event("response", lambda response: response.url.endswith("/invoices") and response.ok):
        await page.wait_for_timeout(1000)
        assert await page.locator("#refusal").count() == 0
        assert await rows.count() == count
