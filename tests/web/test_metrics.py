"""Test the Prometheus metrics: who may read them, what they count, and that each process reports the sums of all."""

from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest

from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.settings import Settings
from portal.storage import open_storage
from portal.web.gate import Gate
from tests.browser import Browser
from tests.places import failed_job
from tests.served import served
from tests.world import ADA

TOKEN = "a-token-of-the-tests-that-nobody-guesses"


@pytest.fixture
def watched(app: Gate, settings: Settings) -> Gate:
    """Return the app with a metrics token, so that the metrics can be read."""
    return Gate(app.inner, replace(settings, metrics_token=TOKEN), open_storage(settings.storage_url))


def value(text: str, name: str) -> float:
    """Return the sum of the values of all lines that begin with `name` in the text of the metrics."""
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


async def figures(browser: httpx.AsyncClient, **headers: str) -> str:
    answer = await browser.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"} | headers)
    assert answer.status_code == 200
    return answer.text


@pytest.mark.parametrize("given", ["", "Bearer ", "Bearer wrong", TOKEN[:-1], f"Bearer {TOKEN} "[:-2], "Bearer ä"])
async def test_without_the_token_there_is_nothing(watched: Gate, given: str) -> None:
    async with Browser(watched) as browser:
        answer = await browser.get("/metrics", headers={"authorization": given.encode()})
    assert answer.status_code == 404


async def test_without_a_configured_token_no_token_opens_it(app: Gate) -> None:
    async with Browser(app) as browser:
        for given in ("Bearer ", "Bearer None", f"Bearer {TOKEN}"):
            assert (await browser.get("/metrics", headers={"authorization": given})).status_code == 404


async def test_requests_are_counted_by_route_never_by_address(watched: Gate) -> None:
    """R21: metrics count requests by route, not by path: paths may contain tokens, and anybody can invent new ones."""
    async with Browser(watched) as browser:
        before = await figures(browser, host="10.0.0.7:8000")
        for _ in range(3):
            await browser.get("/invitations/" + "x" * 43)
            await browser.request("BREW", "/no/such/page")
        after = await figures(browser)
    name = 'portal_request_seconds_count{method="GET",route="/invitations/{token}",status="4xx"}'
    assert value(after, name) - value(before, name) == 3
    name = 'portal_request_seconds_count{method="other",route="-",status="4xx"}'
    assert value(after, name) - value(before, name) == 3
    assert "x" * 43 not in after


async def test_metrics_report_refused_sign_ins_and_the_queue(watched: Gate) -> None:
    """S3.46: metrics report refused sign-ins, jobs by state, and whether the database can be reached."""
    async with transaction(SYSTEM):
        await failed_job()
    async with Browser(watched) as browser:
        before = await figures(browser)
        await browser.send_form("/sign-in", {"email": ADA.email, "password": "wrong"})
        after = await figures(browser)
    assert value(after, "portal_refused_sign_ins_total") - value(before, "portal_refused_sign_ins_total") == 1
    assert value(after, 'portal_jobs{state="failed"}') == 1
    assert value(after, "portal_database_up") == 1


@pytest.mark.slow
@pytest.mark.long
async def test_whichever_process_is_asked_tells_of_all_and_of_none_that_is_gone(dsn: str, tmp_path: Path) -> None:
    """Each of two processes reports the sums of both.

    If one process is killed, the other still reports the requests that the killed one counted, but no longer the open
    streams of the killed one.
    """
    name = 'portal_request_seconds_count{method="GET",route="/sign-in",status="2xx"}'
    async with served(dsn, tmp_path, PORTAL_WORKERS="2", PORTAL_METRICS_TOKEN=TOKEN) as portal:

        async def told() -> str:
            async with portal.client() as client:  # A new connection each time may reach either process.
                return await figures(client)

        for _ in range(20):
            async with portal.client() as client:
                await client.get("/sign-in")
        assert {value(await told(), name) for _ in range(10)} == {20}
        workers = [
            child for child in psutil.Process(portal.process.pid).children(recursive=True)
            if "portal.serving" in " ".join(child.cmdline()) and not child.children()
        ]  # fmt: skip
        assert len(workers) == 2
        workers[0].kill()
        texts = [await told() for _ in range(5)]
        assert {(value(text, name), value(text, "portal_streams")) for text in texts} == {(20, 0)}
