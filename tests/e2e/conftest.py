"""Fixtures for browser tests: a served portal and a real Chromium.

A page that violates the content security policy or throws an error fails the test that opened it.
"""

import asyncio
import contextlib
import os
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from portal.database import transaction
from portal.people.access import sessions
from portal.settings import Settings
from tests.look.gallery import FLAGS, executable
from tests.served import free_port
from tests.world import PASSWORD, TEST_SECRET

expect.set_options(timeout=15_000)

NO_OPTIMISATION = "--js-flags=--no-opt --no-maglev --always-sparkplug"
"""A flag that stops Chromium from optimising scripts, because each page runs its scripts only once.

With this flag, axe takes only 60 % of the CPU time.
"""
FEW_PROCESSES = ["--renderer-process-limit=1", "--in-process-gpu", "--disable-gpu-compositing"]
"""Flags with which Chromium starts no process for each window and none for drawing, to save a tenth of the CPU time."""


async def _answers(url: str, process: asyncio.subprocess.Process) -> None:
    for _ in range(300):
        if process.returncode is not None:
            raise RuntimeError(f"the portal ended with {process.returncode}")
        with contextlib.suppress(OSError):
            await asyncio.to_thread(urllib.request.urlopen, f"{url}/health", timeout=2)
            return
        await asyncio.sleep(0.1)
    raise RuntimeError("the portal does not answer")


@pytest.fixture
def served_with() -> dict[str, str]:
    """Return environment variables to add to those of the served portal. A test module overrides this fixture."""
    return {}


@pytest.fixture(scope="package")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data folder that all portals here share.

    Tests may share it because files have random keys, so that the files of an earlier test do no harm.
    """
    return tmp_path_factory.mktemp("site") / "data"


@pytest.fixture
def settings(settings: Settings, data: Path) -> Settings:
    """Return settings whose file storage is the one that the served portal reads."""
    return Settings.from_environment(settings.as_environment() | {"PORTAL_DATA": str(data), "PORTAL_STORAGE_URL": ""})


@asynccontextmanager
async def portal(dsn: str, data: Path, more: dict[str, str]) -> AsyncIterator[str]:
    """Serve a portal on this database in a separate process until the block ends; yield its URL once it answers.

    `more` has environment variables to add. Raise `RuntimeError` if the process ends or does not answer.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "PORTAL_ENVIRONMENT": "test",
        "DATABASE_OWNER_URL": dsn,
        "PORTAL_DATA": str(data),
        "PORTAL_BASE_URL": url,
        "PORTAL_SMTP_URL": "smtp://127.0.0.1:9",
        "PORTAL_MAIL_FROM": "Halden IT <support@halden.example>",
        "PORTAL_SECRET": TEST_SECRET,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "portal.serving", "portal.app:create_app", "127.0.0.1", str(port), "1"),
        env=os.environ | environment | more,
        cwd=Path(__file__).parent.parent.parent,
    )
    try:
        await _answers(url, process)
        yield url
    finally:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 8)
        except TimeoutError:
            process.kill()
            await process.wait()


@pytest.fixture(scope="package")
async def shared_site(workbench: str, data: Path) -> AsyncIterator[str]:
    """Serve one portal that the tests here share, and yield its URL. `tidy` empties the database between two tests."""
    async with portal(workbench, data, {}) as url:
        yield url


@pytest.fixture
async def own_site(dsn: str, data: Path, served_with: dict[str, str]) -> AsyncIterator[str]:
    """Serve a portal for one test only, with the environment variables of the fixture `served_with`. Yield its URL."""
    async with portal(dsn, data, served_with) as url:
        yield url


@pytest.fixture
def site(dsn: str, workbench: str, served_with: dict[str, str], request: pytest.FixtureRequest) -> str:
    """Return the URL of the shared portal.

    If the test has another database or sets `served_with`, return the URL of a portal for this test alone.
    """
    shared = dsn == workbench and not served_with
    url: str = request.getfixturevalue("shared_site" if shared else "own_site")
    return url


@dataclass
class Visitors:
    """Browser windows of a test, each with its own cookies.

    `complaints` collects the script errors and console errors of their pages, except failed requests.
    """

    browser: Browser
    url: str
    complaints: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    async def page(self, *, width: int = 1440, dark: bool = False, javascript: bool = True) -> Page:
        """Open a window in which nobody is signed in, and return its page."""
        context = await self.browser.new_context(
            base_url=self.url,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=javascript,
            reduced_motion="reduce",  # axe must not judge a colour in the middle of a transition.
            locale="en-GB",
        )
        self.contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("console", lambda message: self._hear(page.url, message.type, message.text))
        return page

    def _hear(self, url: str, kind: str, text: str) -> None:
        # Ignore failed resources: Chromium reports each page with a 4xx or 5xx status so, and some tests expect these.
        if kind == "error" and "Failed to load resource" not in text:
            self.complaints.append(f"{url}: {text}")

    async def signed_in(self, email: str, **options: bool | int) -> Page:
        """Open a window with a session of the person with this mail address; return its page, which shows their home page.

        The session begins without the sign-in page, which takes longer than many tests.
        """
        page = await self.page(**options)  # type: ignore[arg-type]
        async with transaction(None) as tx:
            credential = await tx.fetchval("select id from credential where email = $1 order by id limit 1", email)
            token = await sessions.begin(
                credential, address="127.0.0.1", browser="(X11; Linux x86_64) Chrome/150", at=datetime.now(UTC)
            )
        await page.context.add_cookies([{"name": "sid", "value": token, "url": self.url}])
        await page.goto("/")
        return page

    async def through_the_sign_in_page(self, email: str) -> Page:
        """Open a window, sign in with this mail address through the sign-in page, and return the window's page."""
        page = await self.page()
        await page.goto("/sign-in")
        await page.locator("[name=email]").fill(email)
        await page.locator("[name=password]").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page).not_to_have_url(f"{self.url}/sign-in")
        return page


@pytest.fixture(scope="package")
async def browser() -> AsyncIterator[Browser]:
    """Yield one Chromium for all tests here. Each person has a context of their own in it, with its own cookies."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable(), args=[*FLAGS, *FEW_PROCESSES, NO_OPTIMISATION]
        )
        yield browser
        await browser.close()


@pytest.fixture
async def visitors(site: str, browser: Browser) -> AsyncIterator[Visitors]:
    """Yield the browser windows of a test. Afterwards, fail the test if any page has reported an error."""
    people = Visitors(browser, site)
    yield people
    for context in people.contexts:
        await context.close()
    assert people.complaints == []
