"""`python -m benchmarks.deadlines`: measure how long the deadlines of 100,000 open cases take to compute.

For comparison, two statements of plain SQL move as many deadlines by an hour in a copy of the database. The statements
handle a twentieth of the cases at a time. The job that computes the deadlines runs in turns with them, so that both are
measured under the same load.
"""

import argparse
import asyncio
import os
from datetime import UTC, datetime

import asyncpg

from benchmarks.data import CASES, GROUND
from benchmarks.server import copied, temporary_server
from benchmarks.spent import Spent, sessions
from portal import database
from portal.database import schema, transaction
from portal.desk.deadlines import recounting
from portal.desk.deadlines.calendars import HoursFacts, save_hours
from portal.desk.deadlines.targets import TargetFacts, save_targets
from portal.people.readers import SYSTEM

WINDOWS = {f"hours_{day}": "9-12, 13-17" for day in ("monday", "tuesday", "wednesday", "thursday", "friday")}
TARGETS = TargetFacts(
    **{
        f"{noun}_{word}": time
        for word in ("urgent", "high", "normal", "low")
        for noun, time in (("reply", "2h"), ("solve", "4d"))
    }
)
SLICES = 20
PAUSES = """
insert into pause (customer_id, case_id, cause, began_at, ended_at)
select customer_id, id, 'customer', opened_at + n * interval '1 hour', opened_at + n * interval '1 hour' + interval '30 minutes'
from cases, generate_series(1, 2) n
"""
FLOOR = (
    "update deadline set due_at = due_at + interval '1 hour', soon_at = soon_at + interval '1 hour', warn_at = warn_at + interval '1 hour'"
    " where case_id between $1 and $2",
    "update cases set due_at = due_at + interval '1 hour', soon_at = soon_at + interval '1 hour' where due_at is not null and id between $1 and $2",
)


async def change(hours: str) -> None:
    """Store business hours, with `hours` on Saturdays, and enqueue the job that computes all deadlines again.

    The targets are stored too, so that the first call gives the cases their deadlines.
    """
    async with transaction(SYSTEM):
        await recounting.begin()
        await save_hours(HoursFacts(**WINDOWS, hours_saturday=hours, time_zone="Europe/Berlin", country="DE"))
        await save_targets(TARGETS)


async def recount() -> bool:
    """Run the next transaction of the job that computes the deadlines, and return whether another one is left."""
    async with transaction(SYSTEM):
        latest = await recounting.latest()
        assert latest
        return await recounting.recount(latest.version, datetime.now(UTC))


async def plain(connection: asyncpg.Connection, first: int, last: int) -> None:
    """Move the deadlines of the cases with the ids `first` to `last` by an hour with plain SQL, in one transaction."""
    async with connection.transaction():
        for statement in FLOOR:
            await connection.execute(statement, first, last)


async def compare(beside: asyncpg.Connection, watched: list[int], cases: int) -> tuple[Spent, Spent, float]:
    """Run the job to its end and, in turns with the job, move the deadlines of `cases` cases by plain SQL.

    `beside` is the connection for plain SQL, and `watched` are the process ids of the job's database sessions. Return
    the time that plain SQL took, the time that the job took, and the seconds of the job's longest transaction.
    """
    floor, job, longest = Spent(), Spent(), 0.0
    of_plain, done, is_left = await sessions(beside), 0, True
    while is_left or done < cases:
        if done < cases:
            first, done = done + 1, min(done + -(-cases // SLICES), cases)
            await floor.add(plain(beside, first, done), of_plain)
        while is_left and (job.passed < floor.passed or done == cases):
            before = job.passed
            is_left = await job.add(recount(), watched)
            longest = max(longest, job.passed - before)
    return floor, job, longest


async def measured(owner_url: str, open_cases: int) -> None:
    """Fill a new database with `open_cases` open cases, and print how long computing their deadlines takes.

    The business hours are changed three times, and all deadlines are computed after each change. At the first change,
    no case has a deadline yet, so only the second and the third change are compared with plain SQL.
    """
    cases = open_cases * 5 // 3
    await schema.migrate(owner_url)
    connection = await asyncpg.connect(owner_url)
    await connection.execute(GROUND)
    await connection.execute(CASES, cases)
    await connection.execute(PAUSES)
    await connection.execute("analyze")
    await connection.close()
    await database.start(owner_url, role="portal_app", size=1)
    await change("")
    while await recount():
        pass
    await database.stop()
    beside_url = await copied(owner_url)
    await database.start(owner_url, role="portal_app", size=1)
    beside, owner = await asyncpg.connect(beside_url), await asyncpg.connect(owner_url)
    try:
        for hours in ("9-12", "9-13"):
            await change(hours)
            floor, job, longest = await compare(beside, await sessions(owner), cases)
            print(f"{open_cases:,} open cases; load of the machine {os.getloadavg()[0]:.1f}")
            print(f"plain SQL    {floor.passed:7.1f} s, {floor.computing:7.1f} s of processor time")
            print(
                f"job          {job.passed:7.1f} s, {job.computing:7.1f} s of processor time, longest transaction {longest * 1000:,.0f} ms"
            )
            print(f"times as much {job.passed / floor.passed:6.2f}  {job.computing / floor.computing:7.2f}", flush=True)
    finally:
        await beside.close()
        await owner.close()
        await database.stop()


def main() -> None:
    """Read the command line, and measure on a temporary embedded PostgreSQL server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    given = parser.parse_args()
    with temporary_server() as (server, _):
        asyncio.run(measured(server.url(), given.cases))


if __name__ == "__main__":
    main()
