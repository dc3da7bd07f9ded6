"""`.venv/bin/python -m benchmarks.deadlines`: measure how long the deadlines of 100,000 open cases take to compute.

The comparison moves as many deadlines by an hour with two statements of plain SQL, in the same database.
"""

import argparse
import asyncio
import time
from datetime import UTC, datetime

import asyncpg

from benchmarks.data import CASES, GROUND
from benchmarks.server import temporary_server
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
PAUSES = """
insert into pause (customer_id, case_id, cause, began_at, ended_at)
select customer_id, id, 'customer', opened_at + n * interval '1 hour', opened_at + n * interval '1 hour' + interval '30 minutes'
from cases, generate_series(1, 2) n
"""
FLOOR = (
    "update deadline set due_at = due_at + interval '1 hour', soon_at = soon_at + interval '1 hour', warn_at = warn_at + interval '1 hour'",
    "update cases set due_at = due_at + interval '1 hour', soon_at = soon_at + interval '1 hour' where due_at is not null",
)


async def change(hours: str) -> None:
    """Store business hours with the windows `hours` on Saturday, and enqueue the job that computes all deadlines again.

    The targets are stored too, so that the first call gives the cases their deadlines.
    """
    async with transaction(SYSTEM):
        await recounting.begin()
        await save_hours(HoursFacts(**WINDOWS, hours_saturday=hours, time_zone="Europe/Berlin", country="DE"))
        await save_targets(TARGETS)


async def recount() -> list[float]:
    """Run the job that computes the deadlines to its end, and return how many seconds each of its transactions took."""
    took, is_left = [], True
    while is_left:
        async with transaction(SYSTEM):
            began = time.perf_counter()
            latest = await recounting.latest()
            assert latest
            is_left = await recounting.recount(latest.version, datetime.now(UTC))
            took.append(time.perf_counter() - began)
    return took


async def plain(owner_url: str) -> float:
    """Move all deadlines by an hour with plain SQL, and return how many seconds that took."""
    connection = await asyncpg.connect(owner_url)
    began = time.perf_counter()
    for statement in FLOOR:
        await connection.execute(statement)
    took = time.perf_counter() - began
    await connection.close()
    return took


async def measured(owner_url: str, cases: int) -> None:
    """Fill a new database with `cases` open cases, and print how long computing their deadlines takes.

    The business hours are changed three times, and the deadlines computed after each change. Plain SQL is measured
    last.
    """
    await schema.migrate(owner_url)
    connection = await asyncpg.connect(owner_url)
    await connection.execute(GROUND)
    await connection.execute(CASES, cases * 5 // 3)
    await connection.execute(PAUSES)
    await connection.execute("analyze")
    await connection.close()
    await database.start(owner_url, role="portal_app", size=1)
    try:
        for turn, hours in enumerate(("", "9-12", "9-13")):
            await change(hours)
            took = await recount()
            what = "first time" if turn == 0 else "again"
            print(
                f"{cases:,} open cases, {what}: {sum(took):.1f} s, the longest transaction {max(took) * 1000:,.0f} ms"
            )
        print(f"plain SQL: {await plain(owner_url):.1f} s")
    finally:
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
