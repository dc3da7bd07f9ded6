"""Test resetting a forgotten password with a browser, a real worker and a mail server, through the link in the mail."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import expect

from portal.settings import Settings
from tests.e2e.conftest import Visitors
from tests.e2e.test_account import looked_at
from tests.mail.sink import Server, Sink
from tests.served import free_port
from tests.world import ADA

pytestmark = pytest.mark.slow

FRESH = "violet kettle under seven bridges"


@pytest.fixture
def sink() -> Iterator[tuple[Sink, int]]:
    kept, port = Sink(), free_port()
    server = Server(kept, port)
    server.start()
    yield kept, port
    server.stop()


@pytest.fixture
def served_with(sink: tuple[Sink, int]) -> dict[str, str]:
    return {"PORTAL_SMTP_URL": f"smtp://127.0.0.1:{sink[1]}"}


@pytest.fixture
async def worker(settings: Settings, served_with: dict[str, str], site: str) -> AsyncIterator[None]:
    """Run the worker beside the portal, on the same database, until the test ends."""
    environment = settings.as_environment() | served_with | {"PORTAL_BASE_URL": site}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "portal", "worker"), env=os.environ | environment
    )
    yield
    process.terminate()
    await asyncio.wait_for(process.wait(), 10)


async def mails(sink: Sink, count: int) -> list[str]:
    """Wait until the mail server has received `count` mails; return their texts."""
    for _ in range(300):
        if len(sink.messages) >= count:
            break
        await asyncio.sleep(0.1)
    return [message.get_body(("plain",)).get_content() for message in sink.messages]  # type: ignore[union-attr]


async def test_somebody_who_forgot_their_password_gets_in_again(
    visitors: Visitors, sink: tuple[Sink, int], worker: None
) -> None:
    """R7, R17: the mailed link sets a new password once. Ada signs in with that password and gets a mail about the change."""
    page = await visitors.page()
    await page.goto("/sign-in")
    await page.get_by_role("link", name="Forgot your password?").click()
    await expect(page.locator(".house")).to_contain_text("Halden IT")
    await looked_at(page, "reset-forgotten")
    await page.locator("[name=email]").fill(ADA.email)
    await page.get_by_role("button", name="Mail me a link").click()
    await expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    await looked_at(page, "reset-sent")

    (text,) = await mails(sink[0], 1)
    found = re.search(r"http\S+/password-resets/\S+", text)
    assert found
    await page.goto(found[0])
    await looked_at(page, "reset-choose")
    for again, said in (("something else, and long", "The two passwords are not the same"), (FRESH, "Sign in")):
        await page.locator("[name=password]").fill(FRESH)
        await page.locator("[name=again]").fill(again)
        await page.get_by_role("button", name="Save password").click()
        await expect(page.get_by_text(said).first).to_be_visible()

    await page.locator("[name=email]").fill(ADA.email)
    await page.locator("[name=password]").fill(FRESH)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(f"{visitors.url}/")
    assert "password" in (await mails(sink[0], 2))[1]

    other = await visitors.page()
    await other.goto(found[0])
    await expect(other.get_by_role("heading", name="This link")).to_be_visible()
    await looked_at(other, "reset-ended")
