"""Assign a case to an agent."""

from datetime import datetime
from typing import TYPE_CHECKING

from portal.desk.names import agent_name, works
from portal.desk.verbs.changing import agents_only, change, lock
from portal.errors import Conflict
from portal.people.readers import AgentReader

if TYPE_CHECKING:
    from portal.desk.cases import Case


async def take(case: "Case", *, by: AgentReader, at: datetime) -> None:
    """Assign the case to the agent `by`. Raise `Conflict` if it is assigned to another agent who has not left."""
    if case.agent_id not in (None, by.id) and await works(case.agent_id):
        raise Conflict(f"{await agent_name(case.agent_id)} has this case already.")
    await assign(case, by.id, by=by, at=at)


async def assign(case: "Case", agent_id: int | None, *, by: AgentReader, at: datetime) -> None:
    """Assign the case to the agent with this id, or to nobody if `agent_id` is None.

    Raise `Invalid` at the field `agent` if the agent has left or does not exist, and `Conflict` if the case was
    assigned to another agent since it was loaded.
    """
    agents_only(by)
    seen = case.agent_id
    name = None if agent_id in (None, seen) else await agent_name(agent_id, who_works=True)
    await lock(case, by)
    if case.agent_id == agent_id:
        return
    if case.agent_id != seen:
        holder = "Nobody" if case.agent_id is None else await agent_name(case.agent_id)
        raise Conflict(f"{holder} has this case now. Look at it again.")
    await change(case, {"agent_id": agent_id}, [("assigned", {"to": name})], by, at, told_as="case.assigned")
