"""`./dev bench --timesheets`: measure timesheets, a case's page and an agent's own time with few and many entries.

There are fifty entries a day, all on one case, so that the sizes differ in the number of entries only.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg

from benchmarks import data
from benchmarks.approvals import MANAGER
from benchmarks.flows import Page

CASES = 1_000
SIZES = (100, 100_000)
"""The numbers of time entries with which the pages are measured."""
ALWAYS = "kind=all&from=2000-01-01"

PAGES = (
    Page("timesheet of this month", "agent", "/agent/timesheets", rows=50),
    Page("timesheet of all days", "agent", f"/agent/timesheets?{ALWAYS}", rows=50),
    Page("timesheet by agent", "agent", f"/agent/timesheets?{ALWAYS}&group=agent", rows=50),
    Page("timesheet by customer", "agent", f"/agent/timesheets?{ALWAYS}&group=customer", rows=50),
    Page("all sums of a timesheet", "agent", f"/agent/timesheets/sums?{ALWAYS}", rows=1),
    Page("case with this time", "agent", "/agent/cases/{case of time}", rows=50),
    Page("own time", "agent", "/agent/time", rows=50),
)

ENTRIES = f"""
insert into time_entry (customer_id, case_id, service_id, agent_id, entered_by_id, work_date, actual_minutes, billing, billable_minutes,
                        external_comment, description, state, created_at, window_from, submitted_at)
  select c.customer_id, c.id, c.service_id, a.id, a.id, current_date - (n / 50)::int, 40, 'billable', 45, 'Looked at the router of floor ' || n,
         'Asked Jonas', case when n % 3 = 0 then 'approved' else 'submitted' end, now(), now(), now()
  from generate_series(1, $1::int) n join cases c on c.id = 1
  cross join lateral (select case when n % 2 = 0 then 1 else 2 + n % {data.AGENTS - 1} end as id) a;
"""  # noqa: S608 (our own numbers)
APPROVALS = """
insert into approval (customer_id, entry_id, agent_id, approved_by_id, version, hourly_rate, rate_source, rate_id, role_name, submission_implied,
                      approved_at, decision)
  select customer_id, id, agent_id, case when agent_id = 1 then 2 else 1 end, 1, 95, 'role', 1, 'Consultant', false, now(), gen_random_uuid()
  from time_entry where state = 'approved';
insert into allocation (customer_id, entry_id, position, kind, minutes, hourly_rate, rate_source, currency, amount)
  select customer_id, id, 0, 'charged', 45, 95, 'role', 'EUR', 71.25 from time_entry where state = 'approved';
"""


def filling(entries: int) -> Callable[[str], Coroutine[Any, Any, dict[str, list[str]]]]:
    """Return a function that fills a migrated, empty database with `entries` time entries on one case.

    The value of `case of time` in the result of that function is the number of the case.
    """

    async def fill(owner_url: str) -> dict[str, list[str]]:
        await data.fill(owner_url, CASES)
        connection = await asyncpg.connect(owner_url)
        try:
            await connection.execute(MANAGER)
            await connection.execute("delete from time_entry")
            await connection.execute(ENTRIES, entries)
            await connection.execute(APPROVALS)
            await connection.execute("vacuum analyze")
            return {"case of time": [str(await connection.fetchval("select number from cases where id = 1"))]}
        finally:
            await connection.close()

    return fill
