"""Test that the next worker finishes a billing run whose worker was killed: nothing is billed twice or left out."""

import asyncio
import os
import re
import sys
from pathlib import Path

import asyncpg
import pytest

from portal import billing
from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.settings import Settings
from portal.web.gate import Gate
from tests.billing.test_prepaid_persistence import PLAN, a_voucher
from tests.billing.work import NOVEMBER, a_service, log
from tests.browser import Browser
from tests.conftest import Connections
from tests.faults import billing_job
from tests.faults.children import CONTEXT
from tests.faults.steps import Mode
from tests.world import ACME, ACME_CONTRACT, GLOBEX, GLOBEX_HELPDESK, MAX, NOW

pytestmark = [pytest.mark.slow, pytest.mark.infra, pytest.mark.usefixtures("clock")]


async def begun(issues: bool = True) -> int:
    """Begin a run for Acme and Globex without billing anybody yet; return its id.

    The run will bill time, a fee and the sale of a voucher that pays for time, and write a statement (time that is not
    charged). If `issues` is True, the
    run issues its invoices and bills each customer in a separate transaction; otherwise, it bills both in one.
    """
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN | {"included_minutes": 30})
        await a_voucher(care, hours="1h", usable_once="issued")
        entries = [
            await log(120, service=care),
            await log(50),
            await log(45, service=GLOBEX_HELPDESK, billing="no_charge"),
        ]
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
        return await billing.begin_run(NOVEMBER, [ACME, GLOBEX], by=MAX, at=NOW, issues=issues)


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    return settings.as_environment()


def carry_out(environment: dict[str, str], run_id: int, mode: Mode = "killed before", step: int = 0) -> int | None:
    """Carry out the job in a child process with a fault; return the number of its steps, or None if it was killed."""
    said = Path(environment["PORTAL_DATA"]) / "said"
    said.unlink(missing_ok=True)
    process = CONTEXT.Process(target=billing_job.run, args=(environment, run_id, NOW, mode, step, str(said)))
    process.start()
    process.join(60)
    assert process.exitcode in (0, -9), process.exitcode
    return int(said.read_text()) if said.exists() else None


BILLED = """
select count(distinct customer_id) from (select i.customer_id from invoice i join billing_run r on r.id = i.run_id where r.id = $1
  and (i.state = 'issued' or not r.issues)
  union select customer_id from statement where run_id = $1) d
"""


async def shown(app: Gate, run_id: int) -> int:
    """Return how many customers the run has billed, after asserting that its page shows that number.

    Assert also that all invariants of the database hold.
    """
    async with await Browser.of(app, MAX, at=NOW) as browser:
        page = " ".join((await browser.get(f"/agent/billing/runs/{run_id}")).text.split())
    progress = re.search(r'<progress max="2" value="(\d)"', page)
    async with transaction(SYSTEM) as tx:
        assert await billing.violations() == {}
        billed: int = await tx.fetchval(BILLED, run_id)
        is_over = await tx.fetchval("select finished_at is not null from billing_run where id = $1", run_id)
    assert (progress is None) == is_over
    assert progress is None or int(progress[1]) == billed
    assert progress is not None or billed == 2
    return billed


BOOKS = """
select i.number, i.net, i.gross, l.kind, l.label, l.net as line, null as pieces from invoice i join invoice_line l on l.invoice_id = i.id
union all select null, null, null, a.kind, e.external_comment, a.amount, a.minutes || case when d.entry_id is null then ' open' else ' settled' end
  from allocation a join time_entry e on e.id = a.entry_id left join settled_entry d on d.entry_id = a.entry_id and d.part = a.part
union all select null, null, null, 'statement', contract_name, null, null from statement
union all select null, null, null, 'file', kind, null, null from document
union all select null, null, null, 'fee', period_start::text, null, null from billed_fee
order by 1, 4, 5, 6, 7
"""


async def books() -> list[tuple[object, ...]]:
    async with transaction(SYSTEM) as tx:
        return [tuple(row) for row in await tx.fetch(BOOKS)]


async def killed_at(
    app: Gate, environment: dict[str, str], mode: Mode, step: int, expected: list[tuple[object, ...]], issues: bool
) -> bool:
    """Begin a run, carry out its job with the fault `mode` at a step, and then carry the job out again without a fault.

    Fail unless the books are then as `expected`. Return whether the fault killed the job.
    """
    run_id = await begun(issues)
    steps = await asyncio.to_thread(carry_out, environment, run_id, mode, step)
    await shown(app, run_id)
    assert await asyncio.to_thread(carry_out, environment, run_id)
    assert await shown(app, run_id) == 2
    assert await books() == expected, step
    return steps is None


async def undisturbed(
    app: Gate, environment: dict[str, str], connections: Connections, issues: bool
) -> tuple[int, list[tuple[object, ...]]]:
    """Carry out the job of a run without a fault, then empty the database.

    Return the number of the job's steps, and the books as they were before the database was emptied.
    """
    run_id = await begun(issues)
    assert await shown(app, run_id) == 0
    steps = await asyncio.to_thread(carry_out, environment, run_id)
    assert steps
    assert await shown(app, run_id) == 2
    expected = await books()
    await connections.lend()
    return steps, expected


@pytest.mark.parametrize("issues", [True, False])
async def test_a_run_whose_job_is_killed_is_finished_by_the_next_one(
    app: Gate, environment: dict[str, str], connections: Connections, issues: bool
) -> None:
    """D47, R93, R94: if a job is killed at its beginning, in the middle or at its end, another job completes the run.

    The books are then the same as if no job had been killed.

    The page of the run always says how many customers are billed.
    """
    steps, expected = await undisturbed(app, environment, connections, issues)
    for step in (2, steps // 3, steps * 2 // 3, steps):
        assert await killed_at(app, environment, "killed after", step, expected, issues)
        await connections.lend()


@pytest.mark.long
@pytest.mark.parametrize("issues", [True, False])
@pytest.mark.parametrize("mode", ["killed before", "killed after"])
async def test_a_run_whose_job_is_killed_at_any_statement_is_finished_by_the_next_one(
    app: Gate, environment: dict[str, str], connections: Connections, mode: Mode, issues: bool
) -> None:
    """D47, R93, R94: a job may be killed at any SQL statement; the next job completes the run with the same books."""
    steps, expected = await undisturbed(app, environment, connections, issues)
    for step in range(1, steps + 1):
        assert await killed_at(app, environment, mode, step, expected, issues)
        await connections.lend()


async def test_a_killed_worker_leaves_its_run_to_another_worker(
    app: Gate, dsn: str, environment: dict[str, str], tmp_path: Path
) -> None:
    """D47, R93: if the process of a worker is killed between two customers of a run, another worker bills the rest once."""
    run_id = await begun()
    async with transaction(SYSTEM) as tx:
        await tx.execute("update pgqueuer set execute_after = now()")
    blocker = await asyncpg.connect(dsn)
    with (tmp_path / "worker.log").open("wb") as said:

        async def worker() -> asyncio.subprocess.Process:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "portal", "worker"),
                env=os.environ | environment,
                stdout=said,
                stderr=said,
            )

        killed = await worker()
        try:
            async with blocker.transaction():
                await blocker.execute("select from customer where id = $1 for update", GLOBEX)
                await until(
                    blocker,
                    "select exists (select from pg_locks l where pg_backend_pid() = any(pg_blocking_pids(l.pid)))",
                )
                killed.kill()
                await killed.wait()
                assert await shown(app, run_id) == 1
        finally:
            if killed.returncode is None:
                killed.kill()
        another = await worker()
        try:
            await until(blocker, f"select finished_at is not null from billing_run where id = {run_id}")
        finally:
            another.terminate()
            await asyncio.wait_for(another.wait(), 10)
            await blocker.close()
    assert await shown(app, run_id) == 2


async def until(connection: asyncpg.Connection, question: str) -> None:
    """Wait until the query returns true, for 40 s at most."""
    async with asyncio.timeout(40):
        while not await connection.fetchval(question):  # noqa: ASYNC110 (the database tells nobody)
            await asyncio.sleep(0.02)
