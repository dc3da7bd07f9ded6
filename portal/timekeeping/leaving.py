"""An agent leaves: their cases, time and designations, and who has them from then on."""

from dataclasses import dataclass
from datetime import datetime

from portal.database import current
from portal.desk import Case
from portal.desk.leaving import open_cases_of_agent
from portal.desk.names import agent_name
from portal.people.agents import Agent, without_approver
from portal.people.departments import DESIGNATED, designated_departments, hand_designations
from portal.people.readers import AgentReader
from portal.timekeeping.states import submit


@dataclass(frozen=True, slots=True)
class Open:
    """What waits for an agent. `unsubmitted`: ids of draft and rejected entries; `submitted`: how many wait for a manager.

    `departments` are those they are designated for, with `waiting` submitted entries; `unapproved` names the agents whose time nobody could
    approve without them.
    """

    cases: list[Case]
    unsubmitted: list[int]
    submitted: int
    departments: list[str]
    waiting: int
    unapproved: list[str]


_TIME = (
    f"with recursive {DESIGNATED}"  # noqa: S608
    """
select
  (select coalesce(array_agg(id order by id), '{}') from time_entry where agent_id = $1 and state in ('draft', 'rejected')) as unsubmitted,
  (select count(*) from time_entry where agent_id = $1 and state = 'submitted') as submitted,
  (select count(*) from time_entry e join agent a on a.id = e.agent_id
   where e.state = 'submitted' and e.agent_id <> $1 and a.department_id in (select id from mine)) as waiting
"""
)


async def open_of(agent: Agent) -> Open:
    """Return what waits for an agent, to be handed over."""
    row = await current().fetchrow(_TIME, agent.id)
    before = await without_approver()
    return Open(
        cases=await open_cases_of_agent(agent.id),
        unsubmitted=row["unsubmitted"],
        submitted=row["submitted"],
        departments=await designated_departments(agent.id),
        waiting=row["waiting"] if agent.grade == "manager" else 0,
        unapproved=[name for name in await without_approver(leaving=agent.id) if name not in before],
    )


async def end_agent(
    agent: Agent, *, successor_id: int | None, approver_id: int | None, submits: bool, by: AgentReader, at: datetime
) -> None:
    """End an agent and hand over what waits for them: open cases to `successor_id`, or to nobody; designations to `approver_id`, or they
    stay without effect; with `submits` their drafts and rejected entries are submitted for them.

    Raises `Conflict` for the last admin, `Invalid` (`agent`, `approver`) for somebody who does not work here.
    """
    await open_cases_of_agent(
        agent.id, hold=True
    )  # before the agent: whoever opens one of these cases holds it and waits for the agent
    await agent.end(at)  # before the cases are read: nobody can give them one any more
    if successor_id is not None:
        await agent_name(successor_id, who_works=True)
    for case in await open_cases_of_agent(agent.id):
        await case.assign(successor_id, by=by, at=at)
    if approver_id is not None:
        await hand_designations(agent.id, approver_id)
    if submits:
        await submit(by, (await open_of(agent)).unsubmitted, at=at)
