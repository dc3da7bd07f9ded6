"""Test that a billing run bills several small customers in one transaction, and that none of them disturbs the others."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from portal import billing
from portal.billing import Ending, bounds
from portal.billing.running import making, runs
from portal.billing.running.due import customers_due
from portal.database import transaction
from portal.people.readers import SYSTEM
from tests.billing.test_prepaid_persistence import PLAN, a_voucher
from tests.billing.test_runs_by_customer import begun, counted
from tests.billing.work import NOVEMBER, a_service, log
from tests.conftest import Connections
from tests.faults.test_billing_job import books
from tests.world import ACME, ACME_CONTRACT, GLOBEX, GLOBEX_CONTRACT, GLOBEX_HELPDESK, MAX, NOW

pytestmark = pytest.mark.usefixtures("dsn")


@pytest.fixture
async def blocker(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection with which a test holds locks or ends other connections."""
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


async def transactions(run_id: int) -> int:
    """Return in how many transactions the customers of a run were billed."""
    async with transaction(SYSTEM) as tx:
        found: int = await tx.fetchval("select count(distinct xmin::text) from run_customer where run_id = $1", run_id)
        return found


async def messages(run_id: int) -> dict[int, str]:
    """Return the error messages of a run by customer."""
    async with transaction(MAX):
        return {row["customer_id"]: row["sentence"] for row in (await billing.find_run(run_id, MAX, {})).refused.rows}


@pytest.mark.parametrize(("most", "expected"), [({}, 1), ({"MOST_ENTRIES": 1}, 2), ({"MOST_CUSTOMERS": 1}, 2)], ids=str)
async def test_small_customers_are_billed_in_one_transaction_and_large_ones_alone(
    monkeypatch: pytest.MonkeyPatch, most: dict[str, int], expected: int
) -> None:
    """D47: customers with few entries are billed in one transaction, up to a number of entries and of customers.

    With either number set to one, each customer is billed in a transaction of its own.
    """
    for name, value in most.items():
        monkeypatch.setattr(runs, name, value)
    run_id = await begun()
    assert await billing.resume_run(run_id, NOW) is Ending.FINISHED
    assert (await counted(), await transactions(run_id)) == ((2, 0, 0), expected)


async def test_time_approved_for_later_days_counts_for_the_size_of_a_customer(monkeypatch: pytest.MonkeyPatch) -> None:
    """D47: approved time after the run's end date counts for the size of a customer, because the engine reads it too.

    Acme has one entry to bill and three later entries. If at most four entries share a transaction, Acme is billed
    alone. A customer who has only later time is not due.
    """
    async with transaction(MAX):
        later = [await log(10, on=NOVEMBER), await log(10, on=NOVEMBER), await log(10, on=NOVEMBER)]
        await billing.approve([entry.choice for entry in later], by=MAX, at=NOW)
        assert await customers_due(NOVEMBER) == {}
    run_id = await begun()
    async with transaction(MAX) as tx:
        sizes = await tx.fetch("select customer_id, entries from run_customer where run_id = $1 order by 1", run_id)
    assert [tuple(row) for row in sizes] == [(ACME, 4), (GLOBEX, 1)]
    monkeypatch.setattr(runs, "MOST_ENTRIES", 4)
    assert await billing.resume_run(run_id, NOW) is Ending.FINISHED
    assert (await counted(), await transactions(run_id)) == ((2, 0, 0), 2)


async def test_customers_billed_together_get_the_documents_that_each_would_get_alone(
    monkeypatch: pytest.MonkeyPatch, connections: Connections
) -> None:
    """D20, D30, D39, D47: what a customer is billed does not depend on who is billed in the same transaction.

    Drafts, statements, fees, vouchers, allocations and rows of the outbox are the same for two customers billed
    together and one by one.
    """
    found = []
    for most in (50, 1):
        monkeypatch.setattr(runs, "MOST_CUSTOMERS", most)
        async with transaction(MAX) as tx:
            care = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN | {"included_minutes": 30})
            plan = await a_service(GLOBEX, GLOBEX_CONTRACT, "Plan", **PLAN | {"included_minutes": 90})
            single = await a_service(GLOBEX, GLOBEX_CONTRACT, "Single lines", rollup="none")
            await a_voucher(care, hours="1h", sold_elsewhere="yes")
            entries = [
                await log(120, service=care), await log(50), await log(45, billing="no_charge"), await log(20, customer=GLOBEX, service=plan),
                await log(45, customer=GLOBEX, service=single), await log(15, service=GLOBEX_HELPDESK),
            ]  # fmt: skip
            assert not (await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)).refused
            await tx.execute("delete from allocation where entry_id = any($1)", [entries[1].id, entries[5].id])
            run_id = await billing.begin_run(NOVEMBER, [ACME, GLOBEX], by=MAX, at=NOW)
        assert await billing.resume_run(run_id, NOW) is Ending.FINISHED
        assert (await counted(), await transactions(run_id)) == ((2, 0, 0), 1 if most > 1 else 2)
        async with transaction(SYSTEM) as tx:
            told = await tx.fetch(
                "select customer_id, contact_may_know from outbox where kind = 'invoice.drafted' order by 1"
            )
        found.append((await books(), [tuple(row) for row in told]))
        await connections.lend()
    assert found[0] == found[1]


async def test_a_refusal_for_one_customer_of_a_group_is_recorded_for_that_one_only(
    blocker: asyncpg.Connection,
) -> None:
    """D47: a customer whose billing fails is skipped with the reason, and the others of the group are billed."""
    run_id = await begun()
    await blocker.execute("set session_replication_role = replica")
    await blocker.execute(
        "update approval set hourly_rate = null, rate_source = null, rate_id = null where customer_id = $1", ACME
    )
    await billing.resume_run(run_id, NOW)
    assert set(await messages(run_id)) == {ACME}
    async with transaction(SYSTEM) as tx:
        assert [row["customer_id"] for row in await tx.fetch("select customer_id from invoice")] == [GLOBEX]
        skipped = await tx.fetch("select customer_id, reason from skipped_entry where run_id = $1", run_id)
    assert [tuple(row) for row in skipped] == [(ACME, "failed")]


async def test_a_document_that_is_too_large_is_told_of_its_own_customer(monkeypatch: pytest.MonkeyPatch) -> None:
    """D47: of customers who are billed together, only the one whose document is too large gets an error message."""
    run_id = await begun()
    monkeypatch.setattr(bounds, "fits", lambda document: document.contract != GLOBEX_CONTRACT)
    await billing.resume_run(run_id, NOW)
    assert await transactions(run_id) == 1
    assert await messages(run_id) == {GLOBEX: "“Helpdesk” has more due than one document can hold."}


async def test_a_locked_customer_keeps_no_other_of_its_group_waiting(blocker: asyncpg.Connection) -> None:
    """D47, R94: while another transaction locks a customer, the rest of the group is billed.

    The locked customer is billed once the lock is released.
    """
    run_id = await begun()
    async with blocker.transaction():
        await blocker.execute("select from customer where id = $1 for update", ACME)
        going_on = asyncio.create_task(billing.resume_run(run_id, NOW))
        async with asyncio.timeout(30):
            billed = "select exists (select from run_customer where done_at is not null)"
            while not await blocker.fetchval(billed):  # noqa: ASYNC110 (the database tells nobody)
                await asyncio.sleep(0.02)
        assert not going_on.done()
    assert await going_on is Ending.FINISHED
    assert (await counted(), await transactions(run_id)) == ((2, 0, 0), 2)


async def test_two_runs_whose_groups_overlap_bill_each_customer_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R94, D47: a run skips a customer that another run has locked, waits for the lock at the end, and finds nothing due."""
    first = await begun()
    async with transaction(MAX):
        second = await billing.begin_run(NOVEMBER, [ACME], by=MAX, at=NOW)
    stored, together = asyncio.Event(), making._make_all

    async def slowly(*given: object) -> list[int]:
        made = await together(*given)  # type: ignore[arg-type]
        if not stored.is_set():
            stored.set()
            await asyncio.sleep(0.5)
        return made

    monkeypatch.setattr(making, "_make_all", slowly)
    going_on = asyncio.create_task(billing.resume_run(first, NOW))
    await stored.wait()
    assert await billing.resume_run(second, NOW) is Ending.FINISHED
    assert await going_on is Ending.FINISHED
    assert await counted() == (2, 0, 0)
    async with transaction(SYSTEM) as tx:
        assert await tx.fetchval("select count(*) from invoice where run_id = $1", first) == 2


async def test_a_group_whose_connection_is_lost_is_billed_afterwards(
    blocker: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D47, R93: if the connection is lost while a group is billed, nothing of the group is stored.

    Each customer of the group is then billed in a transaction of its own.
    """
    run_id = await begun()
    together = making._make_all
    ended = list[int]()

    async def lost(*given: object) -> list[int]:
        made = await together(*given)  # type: ignore[arg-type]
        if not ended:
            ended.append(
                await blocker.fetchval(
                    "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'portal' and xact_start is not null"
                )
            )
        return made

    monkeypatch.setattr(making, "_make_all", lost)
    assert await billing.resume_run(run_id, NOW) is Ending.FINISHED
    assert ended == [1]
    assert (await counted(), await transactions(run_id)) == ((2, 0, 0), 2)


async def test_a_run_in_one_transaction_locks_its_customers_in_order(blocker: asyncpg.Connection) -> None:
    """R94: a run locks its customers in the order of their ids, whatever the order in which they were chosen.

    While the run waits for a customer, it has locked no customer with a higher id. So it cannot deadlock with a decision
    that locks two customers in the same order.
    """
    await begun()

    async def run() -> billing.Run | None:
        async with transaction(MAX):
            return await billing.run(NOVEMBER, [GLOBEX, ACME], by=MAX, at=NOW)

    async with blocker.transaction():
        await blocker.execute("select from customer where id = $1 for update", ACME)
        running = asyncio.create_task(run())
        waits = "select exists (select from pg_locks l where pg_backend_pid() = any(pg_blocking_pids(l.pid)))"
        async with asyncio.timeout(30):
            while not await blocker.fetchval(waits):  # noqa: ASYNC110 (the database tells nobody)
                await asyncio.sleep(0.02)
        await blocker.execute("select from customer where id = $1 for update nowait", GLOBEX)
    made = await running
    assert made is not None
    assert len(made.draft_ids) == 2
