"""Test SIGKILL on every process of a served portal while people work: each acknowledged write exists exactly once.

Each client appends its intent to the file `history` before it sends a form, and the response afterwards. A form that
gets no response is sent again until it gets one, as a person would do.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from portal import database
from portal.billing import violations
from portal.database import transaction
from portal.embedded import EmbeddedPostgres
from portal.errors import Unavailable
from portal.people.access import sessions
from portal.people.readers import SYSTEM, Reader
from portal.storage import open_storage
from portal.timekeeping.states import submit
from tests.faults.child import note
from tests.faults.verbs import FILE, a_case, missing_files
from tests.forms import form_of, forms_of
from tests.served import UNREACHABLE, Portal, start
from tests.world import ACME, ADA, HELPDESK, INES, MAX, cast_rows

pytestmark = [pytest.mark.slow, pytest.mark.infra]


@dataclass
class Site:
    """A served portal with an embedded database. The people who work on it stop when `over` is True."""

    portal: Portal
    folder: Path
    history: Path
    counted: dict[str, str] = field(default_factory=dict)
    """For the marker of each form that was sent, the query that counts the rows with this marker."""
    over: bool = False

    async def again(self) -> None:
        """Start the portal again on the same port after its parent process was killed."""
        self.portal = await start(self.portal.environment, self.portal.log, port=self.portal.port)

    def processes(self, *words: str) -> list[psutil.Process]:
        """Return the running child processes of the portal whose command line contains one of these words."""
        found = []
        for process in psutil.Process(self.portal.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if any(word in " ".join(process.cmdline()) for word in words):
                    found.append(process)
        return found


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    environment = {"PORTAL_DATA": str(tmp_path / "data"), "PORTAL_WORKERS": "1", "PORTAL_LOG_LEVEL": "info"}
    portal = await start(environment, tmp_path / "portal.log")
    made = Site(portal, tmp_path, tmp_path / "history")
    try:
        assert await portal.answers(seconds=60), portal.said()
        owner = EmbeddedPostgres(tmp_path / "data").found_running()
        assert owner is not None
        connection = await asyncpg.connect(owner)
        await connection.execute(cast_rows())
        await connection.close()
        await database.start(owner, role="portal_app", size=4)
        yield made
    finally:
        await database.stop()
        await made.portal.stop()


async def patiently(work: Callable[[], Awaitable[Any]]) -> Any:
    """Repeat `work` until it returns something other than a server error, and return that; fail after 400 attempts."""
    for _ in range(400):
        with contextlib.suppress(*UNREACHABLE, Unavailable):
            answer = await work()
            if not isinstance(answer, httpx.Response) or answer.status_code < 500:
                return answer
        await asyncio.sleep(0.1)
    raise AssertionError("the portal did not come back")


@dataclass
class Person:
    """A signed-in person who works on the portal and sends each form until there is a response."""

    site: Site
    reader: Reader
    token: str = ""

    async def sign_in(self) -> "Person":
        async with transaction(None):
            self.token = await sessions.begin(self.reader.credential_id, address="-", browser="-", at=datetime.now(UTC))
        return self

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.site.portal.url, cookies={"sid": self.token}, timeout=15)

    async def get(self, path: str) -> httpx.Response:
        async def once() -> httpx.Response:
            async with self.client() as client:
                return await client.get(path)

        answer: httpx.Response = await patiently(once)
        return answer

    async def do(
        self, page: str, action: str, marker: str, count: str, typed: dict[str, Any], files: Any = None
    ) -> httpx.Response:
        """Load the page, send its form until the portal responds, and return the response.

        Write the intent and the outcome to the history. `count` is the query that counts what the form creates, with
        `marker` as its parameter. For the check at the end, the query is stored in `site.counted`.
        """
        shown = (await self.get(page)).text
        fields = form_of(shown, action).fields | typed
        self.site.counted[marker] = count
        note(self.site.history, intent=marker)
        tries = 0

        async def once() -> httpx.Response:
            nonlocal tries
            tries += 1
            async with self.client() as client:
                return await client.post(action, data=fields, files=files)

        answer: httpx.Response = await patiently(once)
        # The answer 409 to a repeated form means that an earlier try succeeded.
        told = "ack" if answer.status_code == 303 or (tries > 1 and answer.status_code == 409) else "err"
        note(self.site.history, told=told, of=marker, status=answer.status_code, tries=tries)
        return answer


async def replies(site: Site, person: Person, number: int) -> None:
    while not site.over:
        marker = uuid.uuid4().hex
        count = "select count(*) from message m where text = $1 and exists (select from attachment a where a.message_id = m.id)"
        await person.do(
            f"/cases/{number}", f"/cases/{number}/replies", marker, count, {"body": marker}, [("files", FILE)]
        )


async def logs_time(site: Site, person: Person, number: int) -> None:
    page, path = f"/agent/time/new?on=case-{number}", "/agent/time/new"
    while not site.over:
        marker = uuid.uuid4().hex
        typed = {"duration": "1h 30m", "external_comment": marker, "service": str(HELPDESK)}
        await person.do(page, path, marker, "select count(*) from time_entry where external_comment = $1", typed)


async def bills(site: Site, person: Person) -> None:
    """Approve submitted time, draft an invoice and issue it, repeatedly until `site.over`."""
    while not site.over:
        await patiently(submit_all)
        page = (await person.get("/agent/approvals")).text
        forms = [form for form in forms_of(page) if "/agent/approvals" in form.targets and form.offered.get("entry")]
        if forms:
            choice = forms[0].offered["entry"][0]
            count = f"select count(*) from approval where entry_id = {int(choice.split(':')[0])} and $1 <> ''"
            await person.do("/agent/approvals", "/agent/approvals", f"approval {choice}", count, {"entry": choice})
        today = datetime.now(UTC).date().isoformat()
        if "/agent/billing/runs" in (await person.get(f"/agent/billing?until={today}")).text:
            marker = uuid.uuid4().hex
            path = f"/agent/billing?until={today}"
            await person.do(
                path, "/agent/billing/runs", f"run {marker}", "select 1 where $1 <> ''", {"customer": str(ACME)}
            )
        draft = await patiently(first_draft)
        if draft:
            count = f"select count(*) from invoice where id = {int(draft)} and number is not null and $1 <> ''"
            await person.do(f"/agent/drafts/{draft}", f"/agent/drafts/{draft}/issue", f"issue {draft}", count, {})


async def first_draft() -> int | None:
    async with transaction(SYSTEM) as tx:
        found: int | None = await tx.fetchval("select min(id) from invoice where state = 'draft'")
        return found


async def submit_all() -> None:
    async with transaction(INES) as tx:
        drafts = await tx.fetch("select id from time_entry where state = 'draft'")
        await submit(INES, [row["id"] for row in drafts], at=datetime.now(UTC))


def victims(site: Site, name: str) -> list[psutil.Process]:
    if name == "web worker":
        return [one for one in site.processes("portal.serving") if not one.children()]
    if name == "web server":
        return [one for one in site.processes("portal.serving") if one.children()]
    if name == "worker":
        return site.processes("portal worker")
    return site.processes("postgres")


FORMS = 4
"""The number of forms that are acknowledged before each kill, however fast the machine is."""


async def worked(site: Site, forms: int) -> None:
    """Wait until the portal has acknowledged `forms` more forms; fail after two minutes."""

    def acknowledged() -> int:
        return site.history.read_text().count('"told": "ack"') if site.history.exists() else 0

    before = acknowledged()
    for _ in range(2400):
        if acknowledged() >= before + forms:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nobody gets any work done")


async def kill_processes(site: Site, rounds: int) -> None:
    """Kill one kind of process in each round while people work, and wait each time until the portal responds again.

    If all processes are killed, start the portal again.
    """
    names = ["web worker", "database", "everything", "web server", "worker"]
    for number in range(rounds):
        await worked(site, FORMS)
        await asyncio.sleep(random.uniform(0, 0.3))  # noqa: S311
        name = names[number % len(names)]
        if name == "everything":
            await site.portal.kill()
            await site.again()
        else:
            for process in victims(site, name):
                with contextlib.suppress(psutil.Error):
                    os.kill(process.pid, signal.SIGKILL)
        assert await site.portal.answers(seconds=60), site.portal.said()[-3000:]


async def work_while_killing(site: Site, rounds: int) -> dict[str, int]:
    """Let Ada, Ines and Max work while processes are killed; then assert that each acknowledged form was saved once.

    Assert also that no other form was saved. Return how many forms were acknowledged, were refused, and needed more
    than one attempt.
    """
    ada, ines, max_ = [await Person(site, reader).sign_in() for reader in (ADA, INES, MAX)]
    number = await a_case()
    people = [
        asyncio.create_task(work)
        for work in (replies(site, ada, number), logs_time(site, ines, number), bills(site, max_))
    ]
    await kill_processes(site, rounds)
    site.over = True
    await asyncio.gather(*people)
    lines = [json.loads(line) for line in site.history.read_text().splitlines()]
    told = {line["of"]: line["told"] for line in lines if "told" in line}
    assert {line["intent"] for line in lines if "intent" in line} == set(told)
    async with transaction(SYSTEM) as tx:
        found = {marker: await tx.fetchval(count, marker) for marker, count in site.counted.items()}
    assert {marker for marker, count in found.items() if count != (1 if told[marker] == "ack" else 0)} == set()
    async with transaction(SYSTEM):
        assert await violations() == {}
    assert await missing_files(open_storage(f"file://{site.folder}/data/files")) == []
    return {
        "acknowledged": sum(one == "ack" for one in told.values()),
        "refused": sum(one == "err" for one in told.values()),
        "tried again": sum(line.get("tries", 1) > 1 for line in lines),
    }


async def test_nothing_acknowledged_is_lost_whichever_process_is_killed(site: Site) -> None:
    """R60, R93, R94: no acknowledged write is lost if a web worker, the database or all processes are killed."""
    seen = await work_while_killing(site, 3)
    assert seen["acknowledged"] >= 3 * FORMS, seen
    assert seen["tried again"] > 0, seen


@pytest.mark.long
async def test_nothing_acknowledged_is_lost_in_the_long_run(site: Site) -> None:
    """R60, R93, R94: no acknowledged write is lost in 30 rounds of kills over all kinds of process."""
    seen = await work_while_killing(site, 30)
    assert seen["acknowledged"] >= 30 * FORMS, seen
    assert seen["tried again"] > 10, seen
