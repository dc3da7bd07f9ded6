"""Test that reloading a page transfers only the HTML page and its event stream; all else comes from the cache."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page

from portal.settings import Settings
from portal.storage import open_storage
from tests.e2e.conftest import Visitors
from tests.pages import MORE, STREAMS, pages_of
from tests.places import furnished

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MOST = 12_000
"""The most bytes that the agents' list of cases may take, headers included. tests/agent/test_cases.py fills the list.
"""


@dataclass
class Wire:
    """Bytes that a browser window received from the server, by URL, without what came from the browser's cache."""

    paths: dict[str, str] = field(default_factory=dict)
    cached: set[str] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)

    @classmethod
    async def of(cls, page: Page) -> "Wire":
        wire, session = cls(), await page.context.new_cdp_session(page)

        def received(event: dict[str, Any]) -> None:
            if event["response"].get("fromDiskCache"):
                wire.cached.add(event["requestId"])

        session.on(
            "Network.requestWillBeSent", lambda event: wire.paths.update({event["requestId"]: event["request"]["url"]})
        )
        session.on("Network.requestServedFromCache", lambda event: wire.cached.add(event["requestId"]))
        session.on("Network.responseReceived", received)
        session.on(
            "Network.loadingFinished", lambda event: wire.sizes.update({event["requestId"]: event["encodedDataLength"]})
        )
        await session.send("Network.enable")
        return wire

    def clear(self) -> None:
        for kept in (self.paths, self.cached, self.sizes):
            kept.clear()

    async def fetched(self) -> dict[str, int]:
        """Wait until everything has arrived. Return the bytes by path, without event streams, which never end."""
        for _ in range(100):
            asked = {id: urlsplit(url).path for id, url in self.paths.items() if url.startswith("http")}
            asked = {id: path for id, path in asked.items() if f"GET {path}" not in STREAMS}
            if asked.keys() <= self.cached | self.sizes.keys():
                return {path: self.sizes[id] for id, path in asked.items() if id not in self.cached}
            await asyncio.sleep(0.05)
        raise AssertionError(f"did not arrive: {asked}")


async def look(page: Page, wire: Wire, address: str) -> dict[str, int]:
    """Open the page, and return the bytes that this fetched, by path."""
    await page.goto("about:blank")
    wire.clear()
    await page.goto(address, wait_until="load")
    await page.evaluate("document.fonts.ready")
    return await wire.fetched()


@pytest.mark.parametrize(
    ("actor", "email"), [("nobody", ""), ("Ada", "ada@acme.example"), ("Noor", "noor@desk.example")]
)
async def test_a_page_that_was_seen_before_is_all_that_is_fetched(
    visitors: Visitors, settings: Settings, actor: str, email: str
) -> None:
    places = await furnished(open_storage(settings.storage_url), datetime.now(UTC))
    page = await (visitors.signed_in(email) if email else visitors.page())
    wire = await Wire.of(page)
    again: dict[str, dict[str, int]] = {}
    for address in [*(places.address(route) for route in pages_of(actor)), *MORE.get(actor, [])]:
        again[address] = await look(page, wire, address)
        if (
            len(again[address]) != 1
        ):  # The first look may fetch what no other page had. If it does not, it proves enough.
            again[address] = await look(page, wire, address)
    assert len(again) > 2
    if actor == "Noor":
        # An error page reads no rows of the database, so the browser fetches the timers of its bar afterwards.
        del again["/no-such-page"]["/agent/timer/bar"]
    assert {address: fetched for address, fetched in again.items() if len(fetched) != 1} == {}
    assert sum(again.get("/agent/cases", {}).values()) < MOST
