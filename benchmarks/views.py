"""`./dev bench --views`: measure each view of the list of cases, and its filters, with few and with very many cases.

Of the cases two fifths are ours to answer, a fifth waits and two fifths are done; of those that are ours one in fifty is
overdue. A tag is on 100 cases, and the agent has a view of their own for it.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg

from benchmarks import data
from benchmarks.flows import Page
from portal.desk.lists.views import VIEWS

SIZES = (1_000, 100_000, 1_000_000)
"""The numbers of cases with which the pages are measured."""

PAGES = (
    *(Page(f"view {view.value}", "agent", f"/agent/cases?view={view.value}", rows=25) for view in VIEWS),
    Page("deadline, reversed", "agent", "/agent/cases?view=all&sort=due&turned=yes", rows=25),
    Page("two customers, high or urgent", "agent", "/agent/cases?view=all&customer=2&customer=3&priority=3&priority=4", rows=25),
    Page("a tag", "agent", "/agent/cases?view=all&tag=1", rows=25),
    Page("a page far behind", "agent", "/agent/cases?view=all&page=30&behind={behind}", rows=25),
    Page("counts of own views", "agent", "/agent/cases/views/counts", rows=1),
)  # fmt: skip

DEADLINES = """
update cases set agent_id = 1 where agent_id = 2;
update cases set due_at = now() + (id % 1000 - 20) * interval '10 minutes', soon_at = now() + (id % 1000 - 26) * interval '10 minutes'
where status in ('new', 'open');
insert into tag (name, created_at) values ('audit', now());
insert into case_tag (case_id, tag_id) select id, 1 from cases where id % greatest(1, (select count(*) / 100 from cases)) = 0;
insert into own_view (agent_id, name, query, is_shared, created_at) values
  (1, 'Audit', '?view=all&tag=1', false, now()), (1, 'Urgent', '?view=all&priority=4', false, now());
"""


def filling(cases: int) -> Callable[[str], Coroutine[Any, Any, dict[str, list[str]]]]:
    """Return a function that fills a migrated, empty database with `cases` cases without messages.

    That function returns the cursor of a page in the middle of the list under the name `behind`.
    """

    async def fill(owner_url: str) -> dict[str, list[str]]:
        connection = await asyncpg.connect(owner_url, command_timeout=1800)
        try:
            await connection.execute(data.GROUND)
            await connection.execute(data.CASES, cases)
            await connection.execute(DEADLINES)
            await connection.execute("vacuum analyze")
            middle = await connection.fetchrow(
                "select id, updated_at from cases where status = 'open' and id >= $1 order by id limit 1", cases // 2
            )
            return {"behind": [f"{middle['id']}~{middle['updated_at'].isoformat().replace('+', '%2B')}"]}
        finally:
            await connection.close()

    return fill
