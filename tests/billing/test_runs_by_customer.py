"""Test that a billing run goes customer by customer, and can be stopped, continued and followed."""

import asyncio
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest
from pgqueuer import RetryRequested

from portal import billing
from portal.billing import Ending
from portal.billing.running import skipping
from portal.database import transaction
from portal.errors import Conflict, Unavailable
from portal.people.readers import SYSTEM
from portal.settings import Settings
from portal.storage import open_storage
from portal.web.gate import Gate
from portal.worker import queue
from tests.billing.test_prepaid_persistence import PLAN
from tests.billing.work import NOVEMBER, a_service, log
from tests.browser import Browser
from tests.faulty import LOCKED, refusing
from tests.world import ACME, ACME_CONTRACT, GLOBEX, GLOBEX_HELPDESK, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")


async def begun() -> int:
    """Approve time of Acme and Globex, begin a run for both without billing anything, and return the run's id."""
    async with transaction(MAX):
        entries = [await log(60), await log(30, service=GLOBEX_HELPDESK)]
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
        return await billing.begin_run(NOVEMBER, [ACME, GLOBEX], by=MAX, at=NOW)


async def counted() -> tuple[int, int, int]:
    """Return the numbers of drafts, of customers that a run has not billed yet, and of unfinished runs.

    Check first that all invariants of billing hold.
    """
    async with transaction(SYSTEM) as tx:
        assert await billing.violations() == {}
        row = await tx.fetchrow(
            "select (select count(*) from invoice), (select count(*) from run_customer where done_at is null),"
            " (select count(*) from billing_run where finished_at is null)"
        )
        return tuple(row)


async def test_a_run_that_was_stopped_is_finished_by_its_job_once() -> None:
    """D47, S2.42: a job finishes a run whose process ended early; two such jobs at once bill nothing twice."""
    run_id = await begun()
    async with transaction(SYSTEM) as tx:
        assert (
            await tx.fetchval("select count(*) from pgqueuer where entrypoint = 'bill' and execute_after > now()") == 1
        )
    early = await billing.go_on_with_run(run_id, by=MAX, at=NOW, reader=MAX, within=timedelta(microseconds=1))
    assert (early, await counted()) == (Ending.UNDER_WAY, (0, 2, 1))
    await asyncio.gather(billing.resume_run(run_id, NOW), billing.resume_run(run_id, NOW))
    assert await counted() == (2, 0, 0)
    await billing.resume_run(run_id, NOW)
    await billing.resume_run(4711, NOW)
    assert await counted() == (2, 0, 0)


async def test_the_job_of_a_run_comes_again_while_another_process_bills_a_customer(
    dsn: str, settings: Settings, tmp_path: Path
) -> None:
    """D47: if a request locks a customer, the job bills the others and runs again, because the request may be killed."""
    run_id = await begun()
    connection, request = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    try:
        jobs = queue(connection, settings, open_storage(f"file:{tmp_path}"))
        run = jobs.qm.entrypoint_registry["bill"].parameters.func
        job = SimpleNamespace(id=1, entrypoint="bill", payload=f'{{"run": {run_id}}}'.encode(), created=NOW, attempts=0)
        async with request.transaction():
            await request.execute("select from run_customer where customer_id = $1 for update", ACME)
            with pytest.raises(RetryRequested):
                await run(job)
            assert await counted() == (1, 1, 1)
        await run(job)
    finally:
        await connection.close()
        await request.close()
    assert await counted() == (2, 0, 0)


async def test_two_runs_of_the_same_customers_share_what_is_due() -> None:
    """R94, D47: if two runs are under way at once, each customer is billed by one of them, and both runs finish."""
    first = await begun()
    async with transaction(MAX):
        second = await billing.begin_run(NOVEMBER, [ACME, GLOBEX], by=MAX, at=NOW)
    await asyncio.gather(*(billing.resume_run(run_id, NOW) for run_id in (first, second)))
    assert await counted() == (2, 0, 0)


async def test_a_customer_who_cannot_be_billed_keeps_the_other_billed(dsn: str) -> None:
    """A run records a customer whose billing fails, with the reason, and bills the next customer."""
    run_id = await begun()
    async with refusing(dsn, "settled_entry", f"new.customer_id = {ACME}"):
        await billing.resume_run(run_id, NOW)
    assert await counted() == (1, 0, 0)
    async with transaction(MAX):
        found = await billing.find_run(run_id, MAX, {})
        assert [row["customer_id"] for row in found.refused.rows] == [ACME]
        assert [row["reason"] for row in found.skipped.rows] == ["failed"]


async def test_an_entry_that_moves_to_another_customer_is_skipped_once() -> None:
    """D47: an entry that moves to another customer during a run is recorded as skipped once and does not stop the run."""
    await begun()
    async with transaction(MAX) as tx:
        run_id = await billing.begin_run(NOVEMBER, [ACME], by=MAX, at=NOW)
        why = Conflict("It cannot be.")
        for _ in range(2):
            await skipping.skip_all(run_id, NOVEMBER, GLOBEX, why)
            await skipping.skip_unticked(run_id, NOVEMBER)
        [entry] = await tx.fetch("select entry_id, reason from skipped_entry")
        assert entry["reason"] == "failed"
        await skipping.skip_failed(run_id, ACME, [entry["entry_id"]], why)
        assert [row["customer_id"] for row in await tx.fetch("select customer_id from skipped_entry")] == [ACME]


async def test_a_run_that_only_closed_a_period_stays() -> None:
    """D26: a run that has closed a period is kept even without documents: rolled-over minutes refer to the run."""
    async with transaction(MAX) as tx:
        run_id = await billing.begin_run(NOVEMBER, [ACME], by=MAX, at=NOW)
        care = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        await tx.execute(
            "insert into rolled_minutes (customer_id, service_id, period_start, origin, minutes, periods, run_id)"
            " values ($1, $2, '2026-11-01', '2026-10-01', 60, 1, $3)", ACME, care, run_id,
        )  # fmt: skip
        await tx.execute("update run_customer set done_at = $2 where run_id = $1", run_id, NOW)
        assert await billing.go_on_with_run(run_id, by=MAX, at=NOW, reader=MAX) is Ending.FINISHED


async def test_a_customer_whom_another_transaction_holds_stops_no_later_one(dsn: str) -> None:
    """D47: while another transaction locks a customer, the others are billed; the customer waits for the job's next attempt."""
    run_id = await begun()
    async with refusing(dsn, "settled_entry", f"new.customer_id = {ACME}", code=LOCKED):
        with pytest.raises(Unavailable):
            await billing.resume_run(run_id, NOW)
    assert await counted() == (1, 1, 1)
    assert await billing.resume_run(run_id, NOW) is Ending.FINISHED
    assert await counted() == (2, 0, 0)


@pytest.mark.usefixtures("clock")
async def test_the_page_of_a_run_shows_how_far_it_is(app: Gate) -> None:
    """S3.31: while a run works, its page shows the customers billed and the sums so far, and updates every second."""
    run_id = await begun()
    path = f"/agent/billing/runs/{run_id}"
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = (await browser.get(path)).text.replace("\xa0", " ")
        assert '<progress max="2" value="0"' in page
        assert f'hx-get="{path}" hx-trigger="every 1s"' in " ".join(page.split())
        assert f'hx-get="{path}?documents=1"' in (await browser.get(f"{path}?documents=1")).text
        assert f'<noscript><p class="buttons"><a class="button" href="{path}">' in page
        assert "under way" in (await browser.get("/agent/billing")).text
        await billing.resume_run(run_id, NOW)
        page = (await browser.get(path, headers={"hx-request": "true"})).text
        assert "<progress" not in page
        assert "<dt>Net, EUR</dt><dd>180.00</dd>" in page
        assert "<html" not in page
