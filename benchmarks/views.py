"""`./dev bench --views`: measure each view of the list of cases, and its filters, with few and very many cases.

The pages are the list in each view and sorted by each column, a case, and the home pages of agents and contacts. Two
fifths of the cases wait for an answer of the company, a fifth waits for the customer, and two fifths are done. Of the
cases that wait for the company, one in fifty is overdue. A tag is on 100 cases, and the agent has a saved view for it.
"""

from collections.abc import Callable, Coroutine
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
    *(Page(f"all by {sort.value}", "agent", f"/agent/cases?view=all&sort={sort.value}", rows=25) for sort in Sort),
    *(Page(f"done by {sort.value}", "agent", f"/agent/cases?view=closed&sort={sort.value}", rows=25) for sort in Sort),
    Page("case", "agent", "/agent/cases/{case}", rows=5),
    Page("agent's home", "agent", "/agent/", rows=25),
    Page("customer's home", "contact", "/", rows=25),
    Page("customer's list", "contact", "/cases", rows=25),
    Page("counts of own views", "agent", "/agent/cases/views/counts", rows=1),
)  # fmt: skip

CASES = (
    data.CASES.replace("closed_at)", "closed_at, status_id, waits_since, due_at, soon_at)")
    .replace("1 + n % 20 end", "greatest(1, n % 20) end")
    .replace(
        "\n  from generate_series",
        """,
         (select k.id from case_status k where k.category = (array['new', 'open', 'waiting_for_customer', 'resolved', 'closed'])[1 + n % 5]
          order by k.position, k.id limit 1),
         case when n % 5 = 2 then now() - n * interval '7 minutes' end,
         case when n % 5 < 2 then now() + (n % 1000 - 20) * interval '10 minutes' end,
         case when n % 5 < 2 then now() + (n % 1000 - 26) * interval '10 minutes' end
  from generate_series""",
    )
)
"""The SQL of `data` with deadlines and with the columns that triggers fill in, because triggers do not fire here."""
MORE = """
insert into tag (name, created_at) values ('audit', now());
insert into case_tag (case_id, tag_id) select id, 1 from cases where id % greatest(1, (select count(*) / 100 from cases)) = 0;
insert into own_view (agent_id, name, query, is_shared, created_at) values
  (1, 'Audit', '?view=all&tag=1', false, now()), (1, 'Urgent', '?view=all&priority=4', false, now());
"""
CHUNK = 100_000


def filling(cases: int) -> Callable[[str], Coroutine[Any, Any, dict[str, list[str]]]]:
    """Return a function that fills a migrated, empty database with `cases` cases, of which 20 have messages.

    In the result of that function, `case` has the numbers of these 20 cases, and `behind` the cursor of a page in the
    middle of the list. The cases are inserted without triggers, which would take most of the time. So they lack the
    words for the search, which these pages do not read.
    """

    async def fill(owner_url: str) -> dict[str, list[str]]:
        connection = await asyncpg.connect(owner_url, command_timeout=1800)
        try:
            await connection.execute(data.GROUND)
            await connection.execute("set session_replication_role = replica")
            for first in range(1, cases + 1, CHUNK):
                chunk = CASES.replace("generate_series(1, $1::int)", "generate_series($1::int, $2::int)")
                await connection.execute(chunk, first, min(first + CHUNK - 1, cases))
            await connection.execute("set session_replication_role = origin")
            await connection.execute(MORE)
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
            return {"behind": [behind], "case": [str(row["number"]) for row in written]}
        finally:
            await connection.close()

    return fill
