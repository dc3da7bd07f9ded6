"""Test the log of a served portal: JSON lines about requests and jobs, with ids and numbers but no typed text."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from portal import jobs
from portal.database import transaction
from portal.logs import described
from portal.people.access import invitations
from portal.people.readers import SYSTEM
from tests.conftest import tidy
from tests.served import Portal, csrf, free_port, served, sign_in
from tests.world import ADA, ALAN, INCIDENT, NOW, PASSWORD

MARKERS = ("marker-subject", "marker-text", "marker-file", "marker-password", "marker-query", "marker-agent")


def lines(portal: Portal, event: str) -> list[dict[str, Any]]:
    """Return the log lines with this event. Fail if any line of the log is not JSON."""
    told = [json.loads(line) for line in portal.said().splitlines() if not line.startswith("The portal serves")]
    return [line for line in told if line["event"] == event]


async def logged(portal: Portal, event: str, **values: object) -> None:
    """Wait until the log has a line with this event and these values; fail after ten seconds.

    A request's line is written after its response has been sent.
    """
    for _ in range(100):
        if any(values.items() <= line.items() for line in lines(portal, event)):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"no line of the log has {event!r} with {values}")


@pytest.fixture(scope="module")
async def running(workbench: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Portal]:
    """Yield a running portal that logs requests and jobs. The tests share it, because a portal takes long to start."""
    more = {
        "PORTAL_LOG_LEVEL": "info", "PORTAL_SMTP_URL": f"smtp://127.0.0.1:{free_port()}",
        "PORTAL_MAIL_FROM": "Support <support@desk.example>",
    }  # fmt: skip
    await tidy(workbench)  # Otherwise its worker would run jobs that an earlier test has left.
    async with served(workbench, tmp_path_factory.mktemp("portal"), **more) as portal:
        yield portal


@pytest.fixture
def portal(running: Portal, dsn: str) -> Portal:
    """Return the portal, with the people of tests/world.py in its database."""
    return running


async def _use(client: httpx.AsyncClient) -> None:
    """Sign in as Ada with a wrong and with the right password, open a case with a file, search, and request a wrong URL."""
    await sign_in(client, ADA.email, "marker-password")
    await sign_in(client, ADA.email, PASSWORD)
    form = {
        "csrf": await csrf(client, "/cases/new"), "subject": "marker-subject", "body": "marker-text", "case_type": str(INCIDENT), "priority": "2",
        "form_key": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    }  # fmt: skip
    made = await client.post("/cases/new", data=form, files={"files": ("marker-file.txt", b"marker-text")})
    assert made.status_code == 303
    await client.get("/cases?q=marker-query")
    await client.get("/no-such/marker-query")


@pytest.mark.slow
async def test_the_log_tells_what_was_asked_and_nothing_that_anybody_typed(portal: Portal) -> None:
    """R21, R91: the log has the requests and jobs, but no password, token, cookie, mail address, name or typed text."""
    async with transaction(SYSTEM):
        token = await invitations.invite(ALAN.credential_id, NOW)
    async with transaction(SYSTEM):
        await jobs.enqueue("mail_password_changed", credential=ALAN.credential_id, at=NOW.isoformat())
    async with portal.client() as client:
        client.headers["user-agent"] = "marker-agent"
        await _use(client)
        await client.get(f"/invitations/{token}")
        cookies = [cookie.value or "" for cookie in client.cookies.jar]
    await logged(portal, "job")
    await logged(portal, "request", status=409)
    secrets = [
        *MARKERS,
        *cookies,
        token,
        PASSWORD,
        ADA.email,
        ALAN.email,
        ALAN.name,
    ]
    assert [secret for secret in secrets if secret in portal.said()] == []
    seen = {(line["method"], line["route"], line["status"], line["credential"]) for line in lines(portal, "request")}
    assert {
        ("POST", "/sign-in", 422, None), ("POST", "/sign-in", 303, None), ("POST", "/cases/new", 303, ADA.credential_id),
        ("GET", "/cases", 200, ADA.credential_id), ("GET", "/invitations/{token}", 409, ADA.credential_id),
    } <= seen  # fmt: skip
    assert ("GET", "-", 404, ADA.credential_id) in seen
    (line,) = {(line["name"], line["outcome"]) for line in lines(portal, "job")}
    assert line == ("mail_password_changed", "again later")


async def test_an_exception_is_logged_without_its_message() -> None:
    """R91, R92: a logged exception has its type and the place where it was raised, but not its message."""
    try:
        raise ValueError("marker-text") from KeyError("marker-subject")
    except ValueError as error:
        told = described(error)
    assert told["error"] == "builtins.ValueError"
    assert told["cause"]["error"] == "builtins.KeyError"
    assert "test_an_exception_is_logged_without_its_message" in told["trace"][-1]
    assert "marker" not in json.dumps(told)


def test_the_logs_of_libraries_come_in_the_same_form_and_cannot_forge_a_line() -> None:
    """R91: log lines of libraries are JSON too, and a line break in a message cannot forge a second line."""
    code = (
        "import logging; from portal import logs; logs.set_up('info'); import pgqueuer\n"
        "try: int('marker-text')\n"
        "except ValueError: logging.getLogger('pgqueuer').exception('job %s\\n{\"event\":\"forged\"}', 7)\n"
        "logging.getLogger('other').info('quiet')"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
    (line,) = [json.loads(line) for line in said.splitlines()]
    assert (line["level"], line["logger"], line["error"]) == ("error", "pgqueuer", "builtins.ValueError")
    assert "marker" not in said


@pytest.mark.slow
async def test_a_failure_has_a_line_with_the_id_that_its_page_names(portal: Portal, dsn: str) -> None:
    """R92: the log line of an unexpected error has the request id that the error page shows, and no typed text."""
    async with portal.client() as client:
        await sign_in(client, ADA.email, PASSWORD)
        owner = await asyncpg.connect(dsn)
        await owner.execute("revoke select on cases from portal_contact")
        try:
            answer = await client.get("/cases?q=marker-query")
        finally:
            await owner.execute("grant select on cases to portal_contact")
            await owner.close()
    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    (line,) = [line for line in lines(portal, "a request failed") if line["request"] in answer.text]
    assert line["trace"]
    await logged(portal, "request", request=line["request"])
    assert [one["status"] for one in lines(portal, "request") if one["request"] == line["request"]] == [500]
    assert "marker" not in portal.said()
