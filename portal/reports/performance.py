"""Figures on the work of agents in a range of days, from the time that they logged (S2.5)."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, timedelta

from portal.database import current
from portal.errors import Forbidden
from portal.people.readers import AgentReader
from portal.timekeeping.entries import VISIBLE


@dataclass(frozen=True, slots=True)
class Figures:
    """The work of one agent or of several, in minutes.

    `worked` is the sum of `approved` and `waiting` (drafts and submitted entries); rejected minutes are counted in
    `rejected` only. `billable` is the part of `worked` whose entries are marked as billable, and `counts` are the
    billable minutes of these entries, after rounding. `entries` is the number of entries, and `cases` the number of
    cases on which the agent logged time; rejected entries are counted in `entries` and `cases` too.
    """

    entries: int = 0
    worked: int = 0
    billable: int = 0
    counts: int = 0
    approved: int = 0
    waiting: int = 0
    rejected: int = 0
    cases: int = 0

    @property
    def billable_share(self) -> int | None:
        """Return how many per cent of the time worked are billable, or None if no time was worked."""
        return _per_cent(self.billable, self.worked)

    @property
    def approved_share(self) -> int | None:
        """Return how many per cent of the time worked are approved, or None if no time was worked."""
        return _per_cent(self.approved, self.worked)


@dataclass(frozen=True, slots=True)
class AgentFigures:
    """The figures of one agent, with the names of the agent and the department."""

    id: int
    name: str
    department: str
    figures: Figures


def _per_cent(part: int, whole: int) -> int | None:
    """Return the share in whole per cent, rounded half up."""
    return (part * 200 + whole) // (whole * 2) if whole else None


_FIGURES = """
with recursive below as (
  select $4::bigint as id union select d.id from department d join below b on d.parent_id = b.id
)
select g.id, g.name, d.name as department, x.entries, x.worked, x.billable, x.counts, x.approved, x.waiting, x.rejected, x.cases
from (
  select e.agent_id, count(*)::int as entries,
    coalesce(sum(e.actual_minutes) filter (where e.state <> 'rejected'), 0)::int as worked,
    coalesce(sum(e.actual_minutes) filter (where e.state <> 'rejected' and e.billing = 'billable'), 0)::int as billable,
    coalesce(sum(e.billable_minutes) filter (where e.state <> 'rejected' and e.billing = 'billable'), 0)::int as counts,
    coalesce(sum(e.actual_minutes) filter (where e.state = 'approved'), 0)::int as approved,
    coalesce(sum(e.actual_minutes) filter (where e.state in ('draft', 'submitted')), 0)::int as waiting,
    coalesce(sum(e.actual_minutes) filter (where e.state = 'rejected'), 0)::int as rejected,
    count(distinct e.case_id)::int as cases
  from time_entry e where {visible} and e.work_date >= $1 and e.work_date < $2 and ($3::bigint is null or e.agent_id = $3)
  group by e.agent_id
) x
join agent g on g.id = x.agent_id
join department d on d.id = g.department_id
where $4::bigint is null or g.department_id in (select id from below)
order by folded(g.name), g.id
"""


async def work_of_agents(
    reader: AgentReader, since: date, until: date, *, department: int | None = None, agent: int | None = None
) -> list[AgentFigures]:
    """Return the figures of each agent who logged time from `since` to `until`, both included, sorted by name.

    `department` limits the agents to a department and the departments below it. `agent` is the id of the only agent to
    include, or None. Raise `Forbidden` if the reader is not a manager.
    """
    if not reader.is_manager:
        raise Forbidden("Only managers see figures on the work of agents.")
    last = min(until, date.max - timedelta(days=1)) + timedelta(days=1)
    sql = _FIGURES.format(visible=VISIBLE[reader.database_role])
    rows = await current().fetch(sql, since, last, agent, department)
    names = [one.name for one in fields(Figures)]
    return [
        AgentFigures(row["id"], row["name"], row["department"], Figures(*(row[name] for name in names))) for row in rows
    ]


def all_of(agents: Iterable[AgentFigures]) -> Figures:
    """Return the sums of the figures of these agents.

    `cases` is 0 in the result: several agents can work on the same case, so a sum would be wrong.
    """
    found = list(agents)
    sums = {one.name: sum(getattr(each.figures, one.name) for each in found) for one in fields(Figures)}
    return Figures(**sums | {"cases": 0})
