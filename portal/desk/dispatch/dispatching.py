"""Dispatch a case: let the rules choose its agent. The rules can also be tried on a case without changing it."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from portal.database import current
from portal.desk.deadlines import keeping
from portal.desk.verbs.changing import agents_only, lock
from portal.people.readers import Reader

if TYPE_CHECKING:
    from portal.desk.cases import Case


async def dispatch(
    case: "Case", *, by: Reader, at: datetime, opening: bool = False, leaving: int | None = None
) -> None:
    """Give the case to the agent and the department that the rules choose, and record the rule in the log of the case.

    Nothing changes if there are no rules or the case is done. If no rule chooses an agent, or nobody whom the rule may
    choose is available, the case becomes unassigned. If no rule chooses a department, the case keeps its department.
    With `opening`, the case is just being opened: then a rule may also set the priority, and the deadlines are computed
    from that priority. `leaving` is the id of an agent who must not get the case. An agent who is absent today, in
    their time zone, never gets a case. Raise `NotFound` if a contact dispatches a case without opening it.
    """
    if not opening:
        agents_only(by)
    await lock(case, by)
    row = await current().fetchrow("select * from dispatch_case($1, $2, $3, $4)", case.id, at, opening, leaving)
    if row:
        case.take_over(dict(row))
    if opening and row:  # The deadlines depend on the priority that a rule may have set.
        await keeping.keep(case, at)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the rules would choose for a case now.

    `rule` is the name of the rule that chooses the agent, or None if none does. `agent` is None if no rule chooses one
    or nobody is available. `priority_rule` is the name of the rule that sets the priority, or None if none does.
    `priority` is the name of the priority that the case would have.
    """

    rule: str | None
    department: str | None
    agent: str | None
    priority_rule: str | None
    priority: str


_TRIED = """
select d.rule, (select name from department where id = d.chosen_department) as department,
  (select name from agent where id = d.chosen_agent) as agent, d.priority_rule,
  (select name from case_priority where id = d.chosen_priority) as priority
from cases c, lateral dispatch_choice(c.customer_id, c.service_id, c.case_type_id, c.priority, c.subject, $2, null) d where c.id = $1
"""


async def tried(case: "Case", at: datetime) -> Choice:
    """Return what the rules would choose for the case if it were opened now. Nothing is changed."""
    row = await current().fetchrow(_TRIED, case.id, at)
    return Choice(**dict(row))
