"""Decide for whom an agent may log time, by the rules that admins set for each grade (S1.15, S1.16, S1.23, S1.24)."""

from portal.database import current
from portal.errors import Forbidden
from portal.people.offered import Offered
from portal.people.readers import AgentReader
from portal.timekeeping.policy.switches import Rules, TimeRules

FORBIDDEN = {
    "self": "You may log only your own time.",
    "department": "You may log time only for agents of your department.",
}

_PICKED = """
with recursive mine as (
  select department_id as id from agent where id = $1
  union select d.id from department d join mine on d.parent_id = mine.id
)
select a.id, a.name from agent a
where a.id = $1 or $2 = 'all' or $2 = 'department' and a.department_id in (select id from mine)
"""
_OFFERED = f"select id, name from ({_PICKED}) p where exists (select from agent o where o.id = p.id and o.ended_at is null) order by folded(name), id"  # noqa: S608
_MAY = f"select exists (select from ({_PICKED}) p where p.id = $3)"  # noqa: S608


async def offered_to(by: AgentReader, rules: Rules) -> list[Offered]:
    """Return the agents who have not left and for whom `by` may log time, sorted by name.

    Return an empty list if `by` may log only their own time.
    """
    pick = rules.pick_of(by)
    return [] if pick == "self" else [Offered(**row) for row in await current().fetch(_OFFERED, by.id, pick)]


async def refuse_pick(by: AgentReader, agent_id: int | None) -> None:
    """Raise `Forbidden` unless `by` may log time for the agent `agent_id`. None means `by`, who always may."""
    if agent_id in (None, by.id):
        return
    pick = (await TimeRules.find()).pick_of(by)
    if pick == "all":
        return
    if pick == "self" or not await current().fetchval(_MAY, by.id, pick, agent_id):
        raise Forbidden(FORBIDDEN[pick])
