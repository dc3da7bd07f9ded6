"""`./dev bench --views`: measure the pages of cases with few and very many cases, and how much their cost grows.

The pages are the agent's list of cases, a case, and the list and home page of a contact. The agent's list is measured
in each view and sort order, and with several filters. Each view has more than 25 cases at every size, so that every
list is a full page. Two fifths of the cases wait for an answer of the company, a fifth waits for the customer, and two
fifths are done. One in ten of the cases that wait for the company is overdue, and one in ten comes near its deadline.
One open case in sixteen is snoozed. 100 cases have a tag, and the agent has a saved view of the cases with this tag.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import asyncpg

from benchmarks import data
from benchmarks.flows import Page
from portal.desk.lists.views import VIEWS, Sort

SIZES = (1_000, 100_000, 1_000_000)
"""The numbers of cases with which the pages are measured."""

PAGES = (
    *(Page(f"view {view.value}", "agent", f"/agent/cases?view={view.value}", rows=25) for view in VIEWS),
    Page("deadline, reversed", "agent", "/agent/cases?view=all&sort=due&turned=yes", rows=25),
    Page("two customers, high or urgent", "agent", "/agent/cases?view=all&customer=2&customer=3&priority=3&priority=4", rows=25),
    Page("a tag", "agent", "/agent/cases?view=all&tag=1", rows=25),
    Page("a page far behind", "agent", "/agent/cases?view=all&page=30&behind={behind}", rows=25),
    *(
        Page(f"{view.value} by {sort.value}", "agent", f"/agent/cases?view={view.value}&sort={sort.value}", rows=25)
        for view in VIEWS
        for sort in Sort
        if sort not in (Sort.TURN, VIEWS[view].sort)
    ),
    Page("own view", "agent", "/agent/cases?view=all&tag=1&own=1", rows=25),
    Page("case", "agent", "/agent/cases/{case}", rows=5),
    Page("case in a list", "agent", "/agent/cases/{case}?view=all", rows=5),
    Page("case with 10,000 messages", "agent", "/agent/cases/{long case}", rows=25),
    Page("customer's home", "contact", "/", rows=25),
    Page("customer's list", "contact", "/cases", rows=25),
    Page("counts of own views", "agent", "/agent/cases/views/counts", rows=1),
)  # fmt: skip

CASES = (
    data.CASES.replace("closed_at)", "closed_at, status_id, waits_since, due_at, soon_at, snoozed_until)")
    .replace("n % 200", "n / 5 % $3::int")
    .replace("1 + n % 20 end", "1 + n / 5 % 10 end")
    .replace(
        "\n  from generate_series(1, $1::int)",
        """,
         (select k.id from case_status k where k.category = (array['new', 'open', 'waiting_for_customer', 'resolved', 'closed'])[1 + n % 5]
          order by k.position, k.id limit 1),
         case when n % 5 = 2 then now() - n * interval '7 minutes' end,
         case when n % 5 < 2 then now() + (n % 1000 - 100) * interval '10 minutes' end,
         case when n % 5 < 2 then now() + (n % 1000 - 200) * interval '10 minutes' end,
         case when n % 49 in (5, 11, 17) and n % 5 < 3 then now() + n * interval '1 minute' end
  from generate_series($1::int, $2::int)""",
    )
)
"""The statement `data.CASES` with more columns: deadlines, and what triggers would fill in if they fired here.

The number of customers, 19 or 199, is a prime, so that each customer has cases of every status and agent.
"""
MORE = """
insert into tag (name, created_at) values ('audit', now());
insert into case_tag (case_id, tag_id) select id, 1 from cases where id % greatest(1, (select count(*) / 100 from cases)) = 0;
insert into own_view (agent_id, name, query, is_shared, created_at) values
  (1, 'Audit', '?view=all&tag=1', false, now()), (1, 'Urgent', '?view=all&priority=4', false, now());
"""
CHUNK = 100_000


async def insert(connection: asyncpg.Connection, cases: int, customers: int) -> None:
    """Insert the people of `data`, `cases` cases of the first `customers` customers, a tag, and two saved views.

    No triggers fire while the cases are inserted, because triggers would take most of the time. The cases therefore
    lack the words for the search, but the measured pages do not read these words.
    """
    await connection.execute(data.GROUND)
    await connection.execute("set session_replication_role = replica")
    for first in range(1, cases + 1, CHUNK):
        await connection.execute(CASES, first, min(first + CHUNK - 1, cases), customers)
    await connection.execute("set session_replication_role = origin")
    await connection.execute(MORE)


def filling(cases: int) -> Callable[[str], Coroutine[Any, Any, dict[str, list[str]]]]:
    """Return a function that fills a migrated, empty database with `cases` cases, of which 21 have messages.

    In the result of that function, `case` has the numbers of 20 cases with five messages, `long case` the number of the
    case with 10,000 messages, and `behind` the cursor of a page in the middle of the list.
    """

    async def fill(owner_url: str) -> dict[str, list[str]]:
        connection = await asyncpg.connect(owner_url, command_timeout=1800)
        try:
            await insert(connection, cases, 19 if cases < 10_000 else 199)
            long = await connection.fetchrow("select id, number from cases where status = 'open' order by id limit 1")
            await connection.execute(data.DIALOGUE, data.LONG_CASE, long["id"])
            written = await connection.fetch(
                "select id, number from cases where status = 'open' order by id desc limit 20"
            )
            for row in written:
                await connection.execute(data.DIALOGUE, data.MESSAGES, row["id"])
            await connection.execute("vacuum analyze")
            middle = await connection.fetchrow(
                "select id, updated_at from cases where status = 'open' and id >= $1 order by id limit 1", cases // 2
            )
            behind = f"{middle['id']}~{middle['updated_at'].isoformat().replace('+', '%2B')}"
            return {
                "behind": [behind],
                "case": [str(row["number"]) for row in written],
                "long case": [str(long["number"])],
            }
        finally:
            await connection.close()

    return fill


def growth(rows: Sequence[dict[str, Any]]) -> str:
    """Return a line for each page: the processor time of app and database in milliseconds at each size, and its growth.

    The growth is the time at the last size divided by the time at the first size. `rows` are the rows of the table that
    `./dev bench` prints.
    """
    costs: dict[str, list[float]] = {}
    for row in rows:
        costs.setdefault(row["page"], []).append(row["cpu_app_ms"]["median"] + row["cpu_db_ms"]["median"])
    return "\n".join(
        f"{page:32}{''.join(f'{cost:9.2f}' for cost in found)}{found[-1] / found[0]:8.2f} x"
        for page, found in costs.items()
    )
