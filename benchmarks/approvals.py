"""`./dev bench --approvals`: measure pages of a manager with growing numbers of unbilled entries.

Each page is measured beside its floor (`benchmarks/floor.py`). Half of the unbilled entries are submitted, half are
approved.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg

from benchmarks import data
from benchmarks.flows import Page

CASES = 1_000
SIZES = (100, 10_000, 100_000)
"""The numbers of unbilled entries with which the pages are measured."""

PAGES = (
    Page("approvals", "agent", "/agent/approvals", rows=50),
    Page("approvals, in the middle", "agent", "/agent/approvals?after={middle}", rows=50),
    Page("approvals of one customer", "agent", "/agent/approvals?customer=7", rows=50),
    Page("a manager's list of cases", "agent", "/agent/cases?view=all", rows=25),
)

MANAGER = """
update agent set grade = 'manager' where id = 1;
insert into designation (department_id, agent_id) values (1, 1);
"""
ENTRIES = f"""
insert into time_entry (customer_id, case_id, service_id, agent_id, entered_by_id, work_date, actual_minutes, billing, billable_minutes,
                        external_comment, description, state, created_at, window_from, submitted_at)
  select c.customer_id, c.id, c.service_id, 2 + n % {data.AGENTS - 1}, 2 + n % {data.AGENTS - 1}, current_date - n / 4 % 300, 40, 'billable', 45,
         'Looked at the router of floor ' || n, 'Asked Jonas', case when n % 2 = 0 then 'submitted' else 'approved' end, now(), now(), now()
  from generate_series(1, $1::int) n join cases c on c.id = 1 + n % {CASES};
"""  # noqa: S608 (our own numbers)
APPROVALS = """
insert into approval (customer_id, entry_id, agent_id, approved_by_id, version, hourly_rate, rate_source, rate_id, role_name, submission_implied,
                      approved_at, decision)
  select customer_id, id, agent_id, 1, 1, 95, 'role', 1, 'Consultant', false, now() - id * interval '1 second', gen_random_uuid()
  from time_entry where state = 'approved';
insert into allocation (customer_id, entry_id, position, kind, minutes, hourly_rate, rate_source, currency, amount)
  select customer_id, id, 0, 'charged', 45, 95, 'role', 'EUR', 71.25 from time_entry where state = 'approved';
"""


def filling(unbilled: int) -> Callable[[str], Coroutine[Any, Any, dict[str, list[str]]]]:
    """Return a function that fills a migrated, empty database with `unbilled` unbilled entries.

    The value of `middle` in the result of that function is the cursor of an entry in the middle of the list.
    """

    async def fill(owner_url: str) -> dict[str, list[str]]:
        await data.fill(owner_url, CASES)
        connection = await asyncpg.connect(owner_url)
        try:
            await connection.execute(MANAGER)
            await connection.execute(ENTRIES, unbilled)
            await connection.execute(APPROVALS)
            await connection.execute("vacuum analyze")
            middle = await connection.fetchrow(
                "select agent_id, work_date, id from time_entry where agent_id = 10 and state = 'submitted' order by work_date desc, id desc"
            )
            return {"middle": [f"{middle['agent_id']}.{middle['work_date']}.{middle['id']}"]}
        finally:
            await connection.close()

    return fill
