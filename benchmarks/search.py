"""`python -m benchmarks.search`: measure the search at several numbers of cases, and compare it with plain SQL.

Each case has two messages. A rare word is in the same number of cases at every size, so the search for it should not
take longer with more cases. The other words are in a fixed share of the cases. For comparison, one statement of plain
SQL, sent as the database's owner, finds the newest 25 cases with a message that contains the word. It uses the same
index, but checks no access rights and computes no ranks and excerpts. Growth is the processor time at one size divided
by the processor time at the first size.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import asyncpg

from benchmarks.data import CASES, GROUND
from benchmarks.spent import Spent, sessions
from portal import database
from portal.database import schema, transaction
from portal.desk.search import Asked, found_cases
from portal.embedded import EmbeddedPostgres
from portal.people.readers import AgentReader, ContactReader, Reader

SIZES = (1_000, 100_000, 1_000_000)
CHUNK = 10_000
RARE = 500
"""How many cases contain the rare word, whatever the number of all cases."""
MESSAGES = f"""
insert into message (customer_id, case_id, kind, contact_id, agent_id, author_name, text, html, at)
select c.customer_id, c.id, case m when 1 then 'reply' else 'note' end, case m when 1 then c.contact_id end,
  case m when 2 then 1 end, 'Somebody', 'Nobody can reach server' || c.id % 997 || ' since ' || md5(c.id::text)
    || case when c.id % ($1::bigint / {RARE}) = 0 then ' rareword' else '' end
    || case when c.id % 100 = 0 then ' percentword' else '' end || case when c.id % 2 = 0 then ' halfword' else '' end,
  'x', c.opened_at + m * interval '1 second'
from cases c cross join generate_series(1, 2) m where c.id between $2 and $3
"""  # noqa: S608 (our own numbers)
PLAIN = """
select c.id, c.number, c.subject from cases c
where c.id in (select case_id from case_words where words @@ $1::text::tsquery) order by c.id desc limit 25
"""
AGENT = AgentReader(1, 1, "Agent 1", "agent1@desk.example", "agent", "en_GB", "UTC")
CONTACT = ContactReader(
    id=2, credential_id=22, customer_id=2, customer_name="Customer 2", name="Contact 2", email="contact2@customer.example",
    locale="en_GB", time_zone="UTC", sees_all_cases=True, sees_invoices=True, manages_contacts=False,
)  # fmt: skip
ASKED = {
    "a word in 500 cases": "rareword",
    "two words, one in 500 cases": "nobody rareword",
    "the beginning of a word in 500 cases": "rarew",
    "a word in 1 % of the cases": "percentword",
    "a word in half of the cases": "halfword",
    "a word in all cases": "nobody",
    "two words, one in all and one in half": "nobody halfword",
    "a common beginning": "serv",
    "customer and word": '"customer 7" rareword ',
    "nothing": "nothingatall",
}
"""The searched texts, by their description."""


async def fill(owner_url: str, cases: int) -> None:
    """Fill a migrated, empty database with `cases` cases. As in the product, triggers write the words for the search."""
    connection = await asyncpg.connect(owner_url)
    await connection.execute(GROUND)
    await connection.execute("alter table cases disable trigger search_words")
    await connection.execute(CASES, cases)
    await connection.execute("alter table cases enable trigger search_words")
    for first in range(1, cases + 1, CHUNK):
        await connection.execute(MESSAGES, cases, first, first + CHUNK - 1)
    await connection.execute("vacuum analyze")
    await connection.close()


class Took(NamedTuple):
    """The cost of a search in milliseconds: processor time of this process and the database, and elapsed time.

    Both are medians.
    """

    computing: float
    passed: float


async def timed(work: Callable[[], Awaitable[Any]], runs: int, watched: list[int]) -> Took:
    """Measure `runs` calls of `work`, after two calls to warm up, and return the medians.

    `watched` are the process ids of database sessions. Their processor time is added to that of this process.
    """
    took = []
    for _ in range(runs + 2):
        spent = Spent()
        await spent.add(work(), watched)
        took.append((spent.computing * 1000, spent.passed * 1000))
    return Took(*(median(column) for column in zip(*took[2:], strict=True)))


async def _search(typed: str, reader: Reader) -> None:
    async with transaction(reader, readonly=True):
        await found_cases(await Asked.read(typed, reader), reader)


async def measured(owner_url: str, cases: int, runs: int) -> dict[str, tuple[Took, Took, Took]]:
    """Migrate the database, fill it with `cases` cases, and measure the search for each text in `ASKED`.

    Return what a search by an agent, a search by a contact and plain SQL cost, by the key in `ASKED`.
    """
    await schema.migrate(owner_url)
    await fill(owner_url, cases)
    plain = await asyncpg.connect(owner_url)
    await database.start(owner_url, role="portal_app", size=1)
    try:
        async with transaction(AGENT, readonly=True):
            watched = await sessions(plain)
        found = {}
        for what, typed in ASKED.items():
            query = " & ".join(word.strip('"') for word in typed.replace('"customer 7"', "C7").split())
            query = query.replace("C7", "'C7'") + ":*"
            found[what] = (
                await timed(lambda typed=typed: _search(typed, AGENT), runs, watched),  # type: ignore[misc]
                await timed(lambda typed=typed: _search(typed, CONTACT), runs, watched),  # type: ignore[misc]
                await timed(lambda query=query: plain.fetch(PLAIN, query), runs, watched),  # type: ignore[misc]
            )
        return found
    finally:
        await database.stop()
        await plain.close()


def main() -> None:
    """Read the command line, and measure each size on a temporary embedded PostgreSQL server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, nargs="+", default=SIZES)
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    first: dict[str, tuple[Took, Took, Took]] = {}
    for cases in given.cases:
        with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
            Path(folder).chmod(0o755)
            server = EmbeddedPostgres(Path(folder) / "data", options={"fsync": "off"})
            try:
                server.start()
                found = asyncio.run(measured(server.url(), cases, given.runs))
            finally:
                server.remove()
        first = first or found
        print(
            f"\n{cases:,} cases (median of {given.runs}): ms of processor time (and ms that passed) of an agent, a contact and plain SQL;"
        )
        print(f"growth of the agent's processor time; load of the machine {os.getloadavg()[0]:.1f}")
        for what, took in found.items():
            figures = "".join(f"{each.computing:8.1f} ({each.passed:6.1f})" for each in took)
            print(f"  {what:38} {figures} {took[0].computing / first[what][0].computing:6.2f} x", flush=True)


if __name__ == "__main__":
    main()
