"""Assign a case to an agent, and give it to a department."""

from datetime import datetime
from typing import TYPE_CHECKING

from portal.database import current
from portal.desk.names import agent_name, works
from portal.desk.verbs.changing import LogLine, agents_only, change, lock
from portal.errors import Conflict, Invalid
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


async def give_to_department(
    case: "Case", department_id: int | None, *, by: AgentReader, at: datetime, keeps_agent: bool = False
) -> None:
    """Give the case to the department with this id, or to none if `department_id` is None.

    The case keeps its agent if `department_id` is None, if `keeps_agent` is True, or if the agent is in that department
    or in one below it. Otherwise the case becomes unassigned. Customers do not see the department. Raise `Invalid` at
    the field `department` if there is no such department, and `Conflict` if the case was given to another department
    since it was loaded.
    """
    agents_only(by)
    seen = case.department_id
    names = {row["id"]: row["name"] for row in await current().fetch("select id, name from department")}
    if department_id is not None and department_id not in names:
        raise Invalid({"department": "Choose a department from the list."})
    await lock(case, by)
    if case.department_id == department_id:
        return
    if case.department_id != seen:
        raise Conflict(f"The department is {names.get(case.department_id, 'none')} now. Look at it again.")
    columns: dict[str, int | None] = {"department_id": department_id}
    lines: list[LogLine] = [("department", {"from": names.get(seen), "to": names.get(department_id)})]
    stays = keeps_agent or None in (department_id, case.agent_id)
    if not stays and not await current().fetchval(_IS_OF, case.agent_id, department_id):
        columns["agent_id"] = None
        lines.append(("assigned", {"to": None}))
    await change(case, columns, lines, by, at)


_IS_OF = """
with recursive above as (
  select d.id, d.parent_id from department d join agent a on a.department_id = d.id where a.id = $1
  union select d.id, d.parent_id from department d join above b on d.id = b.parent_id)
select true from above where id = $2
"""
