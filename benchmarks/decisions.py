"""`python -m benchmarks.decisions`: measure decisions on 10,000 entries at once, and compare them with plain SQL.

For comparison, one statement of plain SQL stores what an approval stores: the state of each entry, its approval and its
allocation. The decisions and plain SQL run in the same database in turns, several times. Each run is rolled back.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from statistics import median
from typing import Any

from benchmarks import approvals
from benchmarks.server import temporary_server
from portal import billing, database
from portal.database import current, schema, transaction
from portal.people.readers import AgentReader

FLOOR = """
with done as (
  update time_entry set state = 'approved' where id = any($1) and state = 'submitted' returning *
), given as (
  insert into approval (customer_id, entry_id, agent_id, approved_by_id, version, hourly_rate, rate_source, rate_id, role_name,
                        submission_implied, approved_at, decision)
  select customer_id, id, agent_id, 1, version, 95, 'role', 1, 'Consultant', false, now(), gen_random_uuid() from done
)
insert into allocation (customer_id, entry_id, position, kind, minutes, hourly_rate, rate_source, currency, amount)
select customer_id, id, 0, 'charged', 45, 95, 'role', 'EUR', 71.25 from done
"""
MANAGER = AgentReader(1, 1, "Agent 1", "agent1@desk.example", "manager", "en_GB", "Europe/Berlin")


class _Undone(Exception):
    """Raised to roll back a measured transaction."""


async def timed(work: Callable[[], Awaitable[Any]]) -> float:
    """Run `work` in a transaction of the manager, roll it back, and return how many milliseconds it took."""
    began = time.perf_counter()
    try:
        async with transaction(MANAGER):
            await work()
            took = (time.perf_counter() - began) * 1000
            raise _Undone
    except _Undone:
        return took


async def measured(owner_url: str, entries: int, runs: int) -> dict[str, list[float]]:
    """Migrate and fill the database, measure each decision `runs` times, and return the milliseconds of each run.

    The keys of the result are the names of the decisions; the last key is the approval in plain SQL. Each decision
    covers `entries` time entries.
    """
    at = datetime.now(UTC)
    await schema.migrate(owner_url)
    await approvals.filling(2 * entries)(owner_url)
    await database.start(owner_url, role="portal_app", size=1)
    try:
        async with transaction(MANAGER, readonly=True):
            matching = await billing.list_matching(MANAGER, billing.Filters(), at=at, with_odd=True)
        choices = [billing.Choice.parse(choice) for choice in matching.choices]
        assert len(choices) == entries, len(choices)

        async def sum_up() -> None:
            await billing.list_matching(MANAGER, billing.Filters(), at=at)

        async def approve() -> billing.Outcome:
            outcome = await billing.approve(choices, by=MANAGER, at=at)
            assert len(outcome.done) == entries, outcome.refused[:3]
            return outcome

        async def reject() -> None:
            assert len((await billing.reject(choices, reason="No", by=MANAGER, at=at)).done) == entries

        async def flag() -> None:
            assert len((await billing.flag(choices, question="Why?", by=MANAGER, at=at)).done) == entries

        async def approve_and_undo() -> None:
            outcome = await approve()
            assert outcome.decision
            assert len((await billing.undo(outcome.decision, by=MANAGER, at=at)).done) == entries

        async def plain() -> None:
            await current().execute(FLOOR, [choice.entry_id for choice in choices])

        works = {
            "sum up": sum_up,
            "approve": approve,
            "reject": reject,
            "flag": flag,
            "approve and undo": approve_and_undo,
        }
        took: dict[str, list[float]] = {name: [] for name in (*works, "plain SQL")}
        for _ in range(runs):
            for name, work in (*works.items(), ("plain SQL", plain)):
                took[name].append(await timed(work))
        return took
    finally:
        await database.stop()


def main() -> None:
    """Measure on an embedded PostgreSQL server, and print the median and the range of each decision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    with temporary_server() as (server, _):
        took = asyncio.run(measured(server.url(), given.entries, given.runs))
    floor = median(took["plain SQL"])
    for name, values in took.items():
        times = f"{median(values) / floor:.1f} times"
        print(f"{name:>18}  {median(values):8,.0f} ms ({min(values):,.0f}-{max(values):,.0f})  {times} plain SQL")


if __name__ == "__main__":
    main()
