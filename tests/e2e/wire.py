"""Measure what a browser window fetches from the server, and what comes from the browser's cache."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Page

from tests.pages import STREAMS


@dataclass
class Wire:
    """The bytes that a browser window has received from the server, by URL, without what came from its own cache."""

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
        for _ in range(500):
            asked = {id: urlsplit(url).path for id, url in self.paths.items() if url.startswith("http")}
            asked = {id: path for id, path in asked.items() if f"GET {path}" not in STREAMS}
            if asked.keys() <= self.cached | self.sizes.keys():
                return {path: self.sizes[id] for id, path in asked.items() if id not in self.cached}
            await asyncio.sleep(0.01)
        raise AssertionError(f"did not arrive: {asked}")
