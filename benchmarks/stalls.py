"""`python -m benchmarks.stalls`: measure how long approving and billing many entries blocks the event loop.

While the event loop is blocked, a web process responds to nobody. During each step, a task that wakes every millisecond
records the longest time between two of its turns, in processor time of the loop's thread, so that other load on the
machine does not count.

Customer 1 has many approved entries, which share one invoice line. Customer 2 has as many approved entries, each with
an invoice line of its own. Customer 3 has as many entries that no manager has approved. The billing run skips the
entries of customer 3, and the last step approves all of them at once.
"""

import argparse
import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx

from benchmarks import approvals, data
from benchmarks.__main__ import tokens
from benchmarks.server import temporary_server
from portal import database, logs
from portal.app import create_app
from portal.database import schema
from portal.memory import collect_less
from portal.settings import Settings
from portal.web.gate import Gate

HOST = "127.0.0.1:8000"
GROUND = """
insert into number_series (kind, prefix, width, first_number, next_number) values ('invoice', '2026-', 4, 1, 1);
update service set rollup = 'none' where id = 2;
"""
ENTRIES = """
insert into time_entry (customer_id, service_id, agent_id, entered_by_id, work_date, actual_minutes, billing, billable_minutes,
                        external_comment, description, state, created_at, window_from, submitted_at)
  select customer, customer, 2 + n % 5, 2 + n % 5, current_date - 1 - n % 60, 40, 'billable', 45, 'Looked at the router of floor ' || n, '',
         case when customer = 3 then 'submitted' else 'approved' end, now(), now(), now()
  from generate_series(1, $1::int) n cross join generate_series(1, 3) customer;
"""


async def fill(owner_url: str, entries: int) -> None:
    """Fill a migrated, empty database, with `entries` time entries for each of the customers 1, 2 and 3.

    Agent 1 is a manager, and the contact in `PEOPLE` belongs to customer 2.
    """
    await data.fill(owner_url, 1)
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute(approvals.MANAGER)
        await connection.execute(GROUND)
        await connection.execute(ENTRIES, entries)
        await connection.execute(approvals.APPROVALS)
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()


class Watch:
    """Measures how long blocks of code take, and for how long they block the event loop.

    `took` is the duration of the last block, and `longest` is the longest time for which this block blocked the event
    loop, both in seconds.
    """

    def __init__(self) -> None:
        self.longest = self.took = 0.0

    async def _watch(self) -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, time.thread_time() - began)

    @contextlib.asynccontextmanager
    async def watching(self, name: str) -> AsyncIterator[None]:
        """Measure the block, and print its figures under the name `name`."""
        self.longest, began = 0.0, time.perf_counter()
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self.took = time.perf_counter() - began
            task.cancel()
        print(f"{name:<44} {self.took * 1000:8,.0f} ms, the event loop held for at most {self.longest * 1000:6,.0f} ms")


async def measured(owner_url: str, folder: Path, entries: int) -> None:
    """Migrate and fill the database, run `billing` with the app in this process, and print how long each step took."""
    await schema.migrate(owner_url)
    await fill(owner_url, entries)
    cookies = await tokens(owner_url)
    settings = Settings.from_environment(
        {
            "PORTAL_ENVIRONMENT": "test",
            "DATABASE_OWNER_URL": owner_url,
            "PORTAL_DATA": str(folder / "files"),
            "PORTAL_BASE_URL": f"http://{HOST}",
        }
    )
    app = create_app(settings)
    await database.start(owner_url, role="portal_app", size=2)
    try:
        async with person(app, cookies["agent"]) as manager, person(app, cookies["contact"]) as contact:
            await billing(manager, contact, Watch())
    finally:
        await database.stop()


def person(app: Gate, cookie: str) -> httpx.AsyncClient:
    """Return an HTTP client that sends the cookie and calls the app in this process."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url=f"http://{HOST}", headers={"cookie": cookie}, timeout=120
    )


async def billing(manager: httpx.AsyncClient, contact: httpx.AsyncClient, watch: Watch) -> None:
    """Preview and run billing, issue each draft, approve all other entries, undo the approvals, and measure each step.

    `manager` opens each draft and invoice; `contact` opens the invoice of customer 2.
    """

    async def open_(who: httpx.AsyncClient, path: str, name: str) -> str:
        async with watch.watching(name):
            answer = await who.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    async def send(path: str, fields: dict[str, str | list[str]], name: str) -> str:
        page = (await manager.get("/agent/invoices")).text
        found = re.search(r'X-CSRF-Token[^:]*: *(?:&#34;|")([^&"]+)', page)
        assert found
        async with watch.watching(name):
            answer = await manager.post(path, data={"csrf": found[1], **fields})
        assert answer.status_code == 303, (path, answer.status_code, answer.text[-2000:])
        return str(answer.headers["location"])

    await manager.get("/agent/billing?until=2026-01-02")  # Compiles the templates.
    until = datetime.now(UTC).date().isoformat()
    await open_(manager, f"/agent/billing?until={until}", "preview")
    run = await send("/agent/billing/runs", {"until": until, "customer": ["1", "2", "3"]}, "billing run")
    await open_(manager, run, "page of the run")
    drafts = re.findall(r"/agent/drafts/([0-9]+)", (await manager.get("/agent/invoices")).text)
    for place, (draft, kind) in enumerate(zip(dict.fromkeys(drafts), ("one line", "a line each"), strict=True)):
        page = await open_(manager, f"/agent/drafts/{draft}", f"draft, {kind}")
        payable = re.search(r'name="sum" value="([^"]+)"', page)
        assert payable
        invoice = await send(f"/agent/drafts/{draft}/issue", {"sum": payable[1]}, f"issue, {kind}")
        await open_(manager, invoice, f"issued invoice, {kind}")
        await open_(manager, f"{invoice}/detail.csv", f"CSV, {kind}")
        if place:
            await open_(contact, invoice.removeprefix("/agent"), f"issued invoice for a contact, {kind}")
    page = await open_(manager, "/agent/approvals/everything?odd=yes", "page to decide on everything")
    entries = re.search(r'name="entries" value="([^"]+)"', page)
    assert entries
    approved = await send("/agent/approvals?odd=yes", {"entries": entries[1]}, "approve everything")
    decision = re.search(r"decision=([^&]+)", approved)
    assert decision
    await send(f"/agent/approvals/decisions/{decision[1]}/withdrawal", {}, "take all approvals back")


def main() -> None:
    """Measure on an embedded PostgreSQL server, which is removed afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000, help="of each of the three customers (10,000)")
    given = parser.parse_args()
    collect_less()  # as the processes that answer requests do
    logs.set_up("warning")
    with temporary_server() as (server, folder):
        asyncio.run(measured(server.url(), folder, given.entries))


if __name__ == "__main__":
    main()
