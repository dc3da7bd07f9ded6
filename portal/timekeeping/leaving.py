"""Hand over the open cases, appointments, time entries and approver duties of an agent who leaves."""

from dataclasses import dataclass
from datetime import datetime

from portal.contracts import approvers
from portal.database import current
from portal.desk import Case
from portal.desk.appointments import Planned, appointments_to_come
from portal.desk.leaving import hand_appointments, hold_cases_of_agent, open_cases_of_agent
from portal.desk.names import agent_name
from portal.errors import Invalid
from portal.people.agents import Agent, without_approver
from portal.people.departments import DESIGNATED, designated_departments, hand_designations
from portal.people.readers import AgentReader
from portal.timekeeping.clock.lines import TimerLine, timers_of
from portal.timekeeping.clock.timers import pause_all
from portal.timekeeping.states import submit


@dataclass(frozen=True, slots=True)
class Open:
    """What an agent must hand over before leaving.

    `appointments` are the planned appointments in the future, each with the number of its case. `unsubmitted` are the
    ids of the agent's draft and rejected time entries; `submitted` is the number of the agent's entries that wait for
    approval; `timers` are the agent's timers that are neither logged nor discarded. `departments` and `services` are
    the names of the departments and services for which the agent is a designated approver. `waiting` is the number of
    colleagues' submitted entries that the agent may approve as a designated approver; 0 unless the agent has the grade
    `manager` (not `admin`). `unapproved` are the names of agents whose time nobody could approve after this agent has
    left.
    """

    cases: list[Case]
    appointments: list[tuple[Planned, int]]
    unsubmitted: list[int]
    submitted: int
    timers: list[TimerLine]
    departments: list[str]
    services: list[str]
    waiting: int
    unapproved: list[str]


_TIME = (
    f"with recursive {DESIGNATED}"  # noqa: S608
    """
select
  (select coalesce(array_agg(id order by id), '{}') from time_entry where agent_id = $1 and state in ('draft', 'rejected')) as unsubmitted,
  (select count(*) from time_entry where agent_id = $1 and state = 'submitted') as submitted,
  (select count(*) from time_entry e join agent a on a.id = e.agent_id
   where e.state = 'submitted' and e.agent_id <> $1 and (a.department_id in (select id from mine)
     or e.service_id in (select service_id from service_designation where agent_id = $1))) as waiting
"""
)


async def open_of(agent: Agent, at: datetime) -> Open:
    """Return what `agent` must hand over before leaving at the instant `at`."""
    row = await current().fetchrow(_TIME, agent.id)
    before = await without_approver()
    return Open(
        cases=await open_cases_of_agent(agent.id),
        appointments=await appointments_to_come(agent.id, at),
        unsubmitted=row["unsubmitted"],
        submitted=row["submitted"],
        timers=await timers_of(agent),
        departments=await designated_departments(agent.id),
        services=await approvers.services_of(agent.id),
        waiting=row["waiting"] if agent.grade == "manager" else 0,
        unapproved=[name for name in await without_approver(leaving=agent.id) if name not in before],
    )


async def end_agent(
    agent: Agent,
    *,
    successor_id: int | None,
    visitor_id: int | None,
    approver_id: int | None,
    submits: bool,
    by: AgentReader,
    at: datetime,
) -> None:
    """End the access of an agent who leaves, and hand over their open cases, appointments, time and approver duties.

    The agent's running timer is paused. Open cases are assigned to the agent `successor_id`, or to nobody if that is
    None. Planned appointments go to the agent `visitor_id`; if that is None, they are cancelled. Approver duties go to
    the manager `approver_id`, or to nobody if that is None. With `submits`, the agent's draft and rejected entries are
    submitted, even while time tracking is switched off. Raise `Conflict` for the last admin. Raise `Invalid` (`agent`,
    `appointments`, `approver`, `submits`) if one of these three agents has left, if the agent `approver_id` is not a
    manager, or if an entry cannot be submitted.
    """
    await hold_cases_of_agent(agent.id, at)
    # End the agent's access before reading cases and appointments, so that nobody can give the agent further ones.
    await agent.end(at)
    await pause_all(agent.id, at)
    if successor_id is not None:
        await agent_name(successor_id, who_works=True)
    for case in await open_cases_of_agent(agent.id):
        await case.assign(successor_id, by=by, at=at)
    await hand_appointments(agent.id, visitor_id, by=by, at=at)
    if approver_id is not None:
        await hand_designations(agent.id, approver_id)
        await approvers.hand_services(agent.id, approver_id)
    if submits:
        submission = await submit(by, (await open_of(agent, at)).unsubmitted, at=at)
        # An entry that a manager approved or the agent deleted at the same moment no longer has to be submitted.
        for entry_id in set(submission.refused) & set((await open_of(agent, at)).unsubmitted):
            raise Invalid({"submits": f"Some of their time cannot be submitted: {submission.refused[entry_id]}"})
