"""`python -m benchmarks.runs`: measure a billing run into drafts, the issuing of invoices, and a large approval.

For comparison with the run, plain SQL inserts the same rows into a copy of the database with the same constraints and
triggers. Plain SQL has one statement for each table, and handles a twentieth of the customers at a time. The run and
plain SQL take turns, so that both are measured under the same load. The memory is the process's peak during the run
minus the process's peak before the run.
"""

import argparse
import asyncio
import os
import resource
import time
from datetime import UTC, date, datetime, timedelta

import asyncpg

from benchmarks import approvals, data
from benchmarks.decisions import MANAGER
from benchmarks.server import copied, temporary_server
from benchmarks.spent import Spent, sessions
from portal import billing, database
from portal.contracts.company import Company
from portal.database import schema, transaction
from portal.database.batches import all_or_report
from portal.memory import collect_less

SERVICES = 5
"""The number of services of each customer."""

MORE = f"""
insert into number_series (kind, prefix, width, first_number, next_number) values ('invoice', '2026-', 6, 1, 1);
insert into service (customer_id, contract_id, name, settlement, rollup, taxable, effective_start, rounding_minimum, rounding_increment,
                     rounding_mode, created_at)
  select c.id, c.id, 'Service ' || k, 'time_spent', 'service', true, '2026-01-01', 0, 15, 'up', now()
  from customer c cross join generate_series(2, {SERVICES}) k;
"""  # noqa: S608 (our own numbers)
ENTRIES = """
insert into time_entry (customer_id, service_id, agent_id, entered_by_id, work_date, actual_minutes, billing, billable_minutes,
                        external_comment, description, state, created_at, window_from, submitted_at)
  select s.customer_id, s.id, 2 + n % 19, 2 + n % 19, $2::date - 1 - n % 28, 40, 'billable', 45, 'Looked at the router of floor ' || n, '',
         'approved', now(), now(), now()
  from generate_series(1, $1::int) n join service s on s.id = 1 + n % (select count(*) from service)
"""
SUBMITTED = """
insert into time_entry (customer_id, service_id, agent_id, entered_by_id, work_date, actual_minutes, billing, billable_minutes,
                        external_comment, description, state, created_at, window_from, submitted_at)
  select 1, 1, 2 + n % 19, 2 + n % 19, $2::date - 1 - n % 28, 40, 'billable', 45, 'Looked at the router', '', 'submitted', now(), now(), now()
  from generate_series(1, $1::int) n returning id, version
"""

FLOOR = (
    """insert into invoice (customer_id, contract_id, run_id, state, until, currency, supply_from, supply_to, net, tax, gross)
    select s.customer_id, s.contract_id, (select max(id) from billing_run), 'draft', date_trunc('month', now()), 'EUR', min(e.work_date),
           max(e.work_date), sum(a.amount), round(sum(a.amount) * 0.19, 2), sum(a.amount) + round(sum(a.amount) * 0.19, 2)
    from allocation a join time_entry e on e.id = a.entry_id join service s on s.id = e.service_id
    where a.customer_id between $1 and $2 group by 1, 2""",
    """insert into settled_entry (entry_id, part, customer_id, invoice_id)
    select e.id, 0, e.customer_id, i.id from time_entry e join invoice i on i.customer_id = e.customer_id
    where e.customer_id between $1 and $2 and e.state = 'approved'""",
    """insert into invoice_line (customer_id, invoice_id, position, kind, service_id, service_name, label, minutes, unit_price, currency, net,
                              vat_category, vat_rate)
    select s.customer_id, i.id, row_number() over (partition by i.id order by s.id), 'time', s.id, s.name, s.name, sum(a.minutes), 95, 'EUR',
           sum(a.amount), 'S', 19
    from allocation a join time_entry e on e.id = a.entry_id join service s on s.id = e.service_id join invoice i on i.customer_id = s.customer_id
    where a.customer_id between $1 and $2 group by i.id, s.id""",
    """insert into line_allocation (allocation_id, customer_id, invoice_id, line_id)
    select a.id, a.customer_id, l.invoice_id, l.id from allocation a join time_entry e on e.id = a.entry_id
    join invoice_line l on l.service_id = e.service_id where a.customer_id between $1 and $2""",
    """insert into invoice_vat (customer_id, invoice_id, category, rate, currency, base, tax)
    select customer_id, id, 'S', 19, 'EUR', net, tax from invoice where customer_id between $1 and $2""",
)
"""For each table, the statement that inserts the rows that a run writes for some customers.

Tables to which foreign keys of other tables refer come first.
"""

SLICES = 20
"""The number of transactions of plain SQL. After each, the run continues until it has taken as long as plain SQL."""


async def fill(owner_url: str, customers: int, entries: int, until: date) -> None:
    """Fill a migrated, empty database with `customers` customers and `entries` approved time entries.

    Each customer has `SERVICES` services. The entries are of the four weeks before `until`.
    """
    connection = await asyncpg.connect(owner_url)
    try:
        many = f"generate_series(1, {customers})"
        await connection.execute(data.GROUND.replace(f"generate_series(1, {data.CUSTOMERS})", many))
        await connection.execute(approvals.MANAGER + MORE)
        await connection.execute(ENTRIES, entries, until)
        await connection.execute(approvals.APPROVALS)
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()


def memory() -> int:
    """Return the peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


async def floor(connection: asyncpg.Connection, first: int, last: int) -> None:
    """Insert the rows that a run writes for the customers with the ids `first` to `last`, in one transaction."""
    async with connection.transaction():
        await connection.execute("set local role portal_agent")
        for statement in FLOOR:
            await connection.execute(statement, first, last) if "$1" in statement else await connection.execute(
                statement
            )


async def compare(
    floor_url: str, owner_url: str, customers: int, until: date, at: datetime
) -> tuple[Spent, Spent, int]:
    """Bill all customers by a run and, in turns with the run, insert the same rows into the database of `floor_url`.

    The rows are inserted by plain SQL. A run bills a few customers in each transaction. Return the time that plain SQL
    took, the time that the run took, and by how many MB the peak memory of this process grew.
    """
    plain, run = Spent(), Spent()
    beside, owner = await asyncpg.connect(floor_url), await asyncpg.connect(owner_url)
    try:
        await beside.execute(
            "insert into billing_run (until, run_by_id, run_at) values (date_trunc('month', now()), 1, now())"
        )
        async with transaction(MANAGER):
            run_id = await billing.begin_run(until, range(1, customers + 1), by=MANAGER, at=at)
        before, ending, done = memory(), billing.Ending.UNDER_WAY, 0
        watched, watched_beside = await sessions(owner), await sessions(beside)
        while ending is billing.Ending.UNDER_WAY or done < customers:
            if done < customers:
                first, done = done + 1, min(done + -(-customers // SLICES), customers)
                await plain.add(floor(beside, first, done), watched_beside)
            if ending is billing.Ending.UNDER_WAY:
                within = timedelta(seconds=max(plain.passed - run.passed, 1.0))
                step = billing.go_on_with_run(run_id, by=MANAGER, at=at, reader=MANAGER, within=within)
                ending = await run.add(step, watched)
        assert ending is billing.Ending.FINISHED, ending
        await same(beside, owner)
        return plain, run, memory() - before
    finally:
        await beside.close()
        await owner.close()


WRITTEN = """
select (select count(*) from invoice), (select sum(gross) from invoice), (select count(*) from settled_entry), (select count(*) from invoice_line),
       (select count(*) from line_allocation), (select count(*) from invoice_vat)
"""


async def same(*connections: asyncpg.Connection) -> None:
    """Check that both databases contain the same numbers of new rows and the same total of the invoices."""
    written = {tuple(await connection.fetchrow(WRITTEN)) for connection in connections}
    assert len(written) == 1, written


async def issue(most: int, at: datetime) -> int:
    """Issue the first `most` drafts, each in its own transaction, and return how many were issued."""

    async def one(draft_id: int) -> None:
        await billing.issue(draft_id, by=MANAGER, at=at)

    async with transaction(MANAGER, readonly=True) as tx:
        drafts = [
            row["id"]
            for row in await tx.fetch("select id from invoice where state = 'draft' order by id limit $1", most)
        ]
    report = await all_or_report(drafts, one, reader=MANAGER)
    assert not report.refused, next(iter(report.refused.values()))
    return len(drafts)


async def approve(owner_url: str, entries: int, until: date, at: datetime) -> float:
    """Approve `entries` entries of one customer at once, and return how many seconds that took.

    The entries are inserted first, which is not measured.
    """
    connection = await asyncpg.connect(owner_url)
    rows = await connection.fetch(SUBMITTED, entries, until)
    await connection.close()
    began = time.perf_counter()
    async with transaction(MANAGER):
        chosen = [billing.Choice(row["id"], row["version"]) for row in rows]
        outcome = await billing.approve(chosen, by=MANAGER, at=at)
    assert len(outcome.done) == entries, outcome.refused[:3]
    return time.perf_counter() - began


async def measured(owner_url: str, customers: int, entries: int, most: int, approved: int) -> None:
    """Migrate and fill the database, and print each figure as it is measured.

    `customers` and `entries` are the numbers of customers and entries in the billing run, `most` is the maximum number
    of invoices to issue, and `approved` is the number of entries in the large approval.
    """
    at = datetime.now(UTC)
    until = at.date().replace(day=1)
    await schema.migrate(owner_url)
    await fill(owner_url, customers, entries, until)
    beside_url = await copied(owner_url)
    await database.start(owner_url, role="portal_app", size=2)
    try:
        async with transaction(MANAGER):
            await Company.find()  # imports what the first query needs, which is no part of the run
        plain, run, more = await compare(beside_url, owner_url, customers, until, at)
        print(
            f"{entries:,} entries, {customers * SERVICES:,} services, {customers:,} customers; load of the machine {os.getloadavg()[1]:.1f}"
        )
        print(f"{'plain SQL':<12}  {plain.passed:8.1f} s, {plain.computing:8.1f} s of processor time")
        print(
            f"{'billing run':<12}  {run.passed:8.1f} s, {run.computing:8.1f} s of processor time, {more} MB more memory"
        )
        print(
            f"{'times as much':<12} {run.passed / plain.passed:9.2f}  {run.computing / plain.computing:9.2f}",
            flush=True,
        )
        began = time.perf_counter()
        issued = await issue(most, at)
        print(
            f"{'issuing':<12}  {issued / (time.perf_counter() - began):8.1f} invoices a second with PDF, of {issued:,}"
        )
        print(
            f"{'approval':<12}  {await approve(owner_url, approved, until, at):8.1f} s for {approved:,} entries of one customer"
        )
    finally:
        await database.stop()


def main() -> None:
    """Read the command line, measure on a temporary embedded PostgreSQL server, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--issued", type=int, default=2_000)
    parser.add_argument("--approved", type=int, default=10_000)
    given = parser.parse_args()
    collect_less()  # as the worker does
    with temporary_server() as (server, _):
        asyncio.run(measured(server.url(), given.customers, given.entries, given.issued, given.approved))


if __name__ == "__main__":
    main()
