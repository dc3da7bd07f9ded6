"""The ways of grouping the rows of a timesheet: by day, agent, customer, contract, service, project or task."""

from dataclasses import dataclass
from enum import StrEnum

from portal.contracts.naming import shown_contract, shown_service


class Group(StrEnum):
    """What the entries of a timesheet can be grouped by. Each group has a subtotal."""

    DAY = "day"
    AGENT = "agent"
    CUSTOMER = "customer"
    CONTRACT = "contract"
    SERVICE = "service"
    PROJECT = "project"
    TASK = "task"

    @property
    def word(self) -> str:
        """Return the text that the page shows for this choice, such as `Customer`."""
        return self.value.capitalize()


@dataclass(frozen=True, slots=True)
class Grouping:
    """The SQL for grouping time entries in one way, such as by customer.

    `rows` selects the id and the name of each group. `within` is the condition that a time entry `e` belongs to the
    group `g`. `without` is the condition that an entry belongs to no group; such entries are listed under the name
    `nameless`.
    """

    rows: str
    within: str
    without: str = "false"
    nameless: str = ""


_SERVICE = f"u.name || ', ' || {shown_service('s.id')}"
GROUPINGS = {
    Group.AGENT: Grouping("select id, name from agent", "e.agent_id = g.id"),
    Group.CUSTOMER: Grouping(
        "select id, name from customer", "e.customer_id = g.id", "e.customer_id is null", "General time"
    ),
    Group.CONTRACT: Grouping(
        f"select k.id, u.name || ', ' || {shown_contract('k')} as name from contract k join customer u on u.id = k.customer_id",
        "e.service_id in (select s.id from service s where s.contract_id = g.id)",
        "e.service_id is null",
        "Without a contract",
    ),
    Group.SERVICE: Grouping(
        f"select s.id, {_SERVICE} as name from service s join customer u on u.id = s.customer_id",
        "e.service_id = g.id",
        "e.service_id is null",
        "Without a service",
    ),
    Group.PROJECT: Grouping(
        "select j.id, u.name || ', ' || j.name as name from project j join customer u on u.id = j.customer_id",
        "e.project_id = g.id",
        "e.project_id is null",
        "Without a project",
    ),
    Group.TASK: Grouping(
        f"select t.id, {_SERVICE} || ', ' || t.name as name from task t join service s on s.id = t.service_id"
        " join customer u on u.id = t.customer_id",
        "e.task_id = g.id",
        "e.task_id is null",
        "Without a task",
    ),
}  # fmt: skip
"""The SQL of each way of grouping. Grouping by day needs no SQL, because entries are sorted by day anyway."""
