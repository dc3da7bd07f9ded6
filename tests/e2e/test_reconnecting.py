"""Live pages after a loss: the browser connects again by itself, and what happened meanwhile is there without reloading."""

from datetime import UTC, datetime

import pytest
from playwright.async_api import expect

from portal.database import transaction
from portal.desk import Case
from tests.e2e.conftest import Visitors
from tests.world import ADA, INCIDENT

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def open_case(subject: str) -> None:
    async with transaction(ADA):
        await Case.open(by=ADA, subject=subject, text="It drops.", case_type_id=INCIDENT, at=datetime.now(UTC))


async def test_a_list_that_lost_its_stream_shows_what_came_meanwhile(visitors: Visitors) -> None:
    """Issue 2, section 4: live updates reconnect on both sides, and after a loss everything shown is fetched again."""
    page = await visitors.signed_in("ines@desk.example")
    async with page.expect_response("**/agent/live"):  # the stream is open: from here on nothing may be missed
        await page.goto("/agent/cases?view=all")
    await open_case("Before the loss")
    await expect(page.get_by_text("Before the loss")).to_be_visible()
    # The connection is closed under the page, as by a server that restarts, and does not come back for a while.
    await page.route("**/agent/live", lambda route: route.abort())
    async with page.expect_event("requestfailed", lambda request: request.url.endswith("/agent/live")):
        await page.evaluate("document.querySelector('#live')._htmx.sse.reader.cancel()")
    async with page.expect_event("requestfailed", lambda request: request.url.endswith("/agent/live")):
        await open_case("During the loss")
    await expect(page.get_by_text("During the loss")).to_have_count(0)
    visitors.complaints.clear()
    await page.unroute("**/agent/live")
    await expect(page.get_by_text("During the loss")).to_be_visible()
