"""List projects with their budgets and the time that was logged on them, and sum up the time of contracts."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from portal.contracts.naming import shown_service
from portal.database import current
from portal.errors import NotFound
from portal.fields import in_range
from portal.words import ProjectState

PAGE = 50
"""The maximum number of projects on one page of the list."""
CASES_SHOWN = 10
"""The maximum number of connected cases on the page of a project. The list of cases shows all of them."""


@dataclass(frozen=True, slots=True)
class ListedProject:
    """A project with its budget and the time worked on it, as the list and the page of the project show it.

    `worked` are the minutes worked, without rejected entries. `budget_amount` is in `currency`. A budget that the
    project does not have is None. `cases` is the number of connected cases; `members` are the names of agents.
    """

    id: int
    name: str
    state: ProjectState
    customer_id: int
    customer: str
    service_id: int
    service: str
    currency: str
    budget_minutes: int | None
    budget_amount: Decimal | None
    worked: int
    cases: int
    members: list[str]

    @property
    def left(self) -> int | None:
        """Return the minutes left in the budget; negative if more was worked, None without a budget of time."""
        return None if self.budget_minutes is None else self.budget_minutes - self.worked


@dataclass(frozen=True, slots=True)
class ProjectTime:
    """Sums of one project's time, in minutes.

    `worked` are the minutes worked, `counts` the billable minutes, and `on_cases` the minutes worked on the connected
    cases, all without rejected entries. `draft`, `submitted`, `approved` and `rejected` are the minutes worked in
    entries of that state.
    """

    worked: int
    counts: int
    draft: int
    submitted: int
    approved: int
    rejected: int
    on_cases: int


_COLUMNS = f"""
select p.id, p.name, p.state, p.customer_id, u.name as customer, p.service_id, {shown_service("p.service_id")} as service,
  k.currency::text, p.budget_minutes, p.budget_amount,
  (select coalesce(sum(t.minutes), 0)::bigint from time_sum t where t.scope = 'project' and t.subject_id = p.id and t.state <> 'rejected')
    as worked,
  (select count(*)::int from cases c where c.project_id = p.id and c.merged_into_id is null) as cases,
  (select coalesce(array_agg(a.name order by folded(a.name), a.id), '{{}}') from project_member m join agent a on a.id = m.agent_id
   where m.project_id = p.id) as members
from project p join customer u on u.id = p.customer_id join service s on s.id = p.service_id join contract k on k.id = s.contract_id
"""  # noqa: S608

_KEY = "folded(u.name), folded(p.name), p.id"
_LIST = f"""
{_COLUMNS} where ($1::text is null or p.state = $1) and ($2::bigint is null or p.customer_id = $2)
  and ($3::bigint is null or ({_KEY}) > (select {_KEY} from project p join customer u on u.id = p.customer_id where p.id = $3))
order by {_KEY} limit {PAGE + 1}
"""  # noqa: S608


async def list_projects(
    *, state: ProjectState | None, customer_id: int | None = None, after: int | None = None
) -> tuple[list[ListedProject], int | None]:
    """Return one page of projects, sorted by customer and name, and the cursor of the next page or None.

    The cursor is the id of the last project on the page, to be passed as `after`. With `state` or `customer_id` None,
    projects in every state or of every customer are listed.
    """
    rows = await current().fetch(_LIST, state and state.value, customer_id, after)
    found = [_listed(row) for row in rows[:PAGE]]
    return found, found[-1].id if len(rows) > PAGE else None


async def shown_project(project_id: int) -> ListedProject:
    """Return the project with this id, with its budget and time. Raise `NotFound` for an unknown id."""
    row = await current().fetchrow(f"{_COLUMNS} where p.id = $1", in_range(project_id))
    if row is None:
        raise NotFound
    return _listed(row)


def _listed(row: Any) -> ListedProject:
    return ListedProject(**{**row, "state": ProjectState(row["state"])})


_SUMS = """
select coalesce(sum(minutes) filter (where state <> 'rejected'), 0)::bigint as worked,
  coalesce(sum(counts) filter (where state <> 'rejected'), 0)::bigint as counts,
  coalesce(sum(minutes) filter (where state = 'draft'), 0)::bigint as draft,
  coalesce(sum(minutes) filter (where state = 'submitted'), 0)::bigint as submitted,
  coalesce(sum(minutes) filter (where state = 'approved'), 0)::bigint as approved,
  coalesce(sum(minutes) filter (where state = 'rejected'), 0)::bigint as rejected,
  (select coalesce(sum(o.minutes), 0)::bigint from cases c join time_sum o on o.scope = 'case' and o.subject_id = c.id
   where c.project_id = $1 and o.state <> 'rejected') as on_cases
from time_sum where scope = 'project' and subject_id = $1
"""


async def time_of_project(project_id: int) -> ProjectTime:
    """Return the sums of the time of one project, read by one query."""
    return ProjectTime(**await current().fetchrow(_SUMS, project_id))


@dataclass(frozen=True, slots=True)
class Usage:
    """The billable minutes of a contract's time in one month (S2.20).

    `approved` counts approved time, and `pending` counts drafts and submitted time.
    """

    approved: int = 0
    pending: int = 0

    @property
    def all(self) -> int:
        """Return the sum of the approved and the pending minutes."""
        return self.approved + self.pending


_USED = """
select s.contract_id, coalesce(sum(e.billable_minutes) filter (where e.state = 'approved'), 0)::int as approved,
  coalesce(sum(e.billable_minutes) filter (where e.state in ('draft', 'submitted')), 0)::int as pending
from time_entry e join service s on s.id = e.service_id
where e.customer_id = $1 and e.work_date >= date_trunc('month', $2::date) and e.work_date < date_trunc('month', $2::date) + interval '1 month'
group by s.contract_id
"""


async def used_by_contract(customer_id: int, day: date) -> dict[int, Usage]:
    """Return the usage of each contract of the customer in the month of `day`, by contract id.

    Contracts without time in that month are left out. All logged entries count except rejected ones.
    """
    rows = await current().fetch(_USED, customer_id, day)
    return {row["contract_id"]: Usage(row["approved"], row["pending"]) for row in rows}
