"""Create the demo's two projects with budgets and tasks, and connect cases to the projects."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from portal.contracts.projects import Project, ProjectFacts
from portal.contracts.tasks import Task, TaskFacts
from portal.database import current
from portal.demo.creating import DemoCustomer
from portal.demo.scenario import DemoProject, Scenario
from portal.desk.cases import Case
from portal.people.customers import Customer
from portal.people.readers import SYSTEM, AgentReader

CONNECTED = 3
"""How many of a customer's latest cases are connected to the project of the customer."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A project of a customer, as a manager would type it.

    Work under the service `service` is logged on the project, unless the work belongs to a case. `hours` and `amount`
    are the budgets.
    """

    customer: str
    service: str
    name: str
    hours: str
    amount: str
    members: tuple[str, ...]
    tasks: tuple[str, ...]


PLANS = (
    Plan(
        "Globex", "Move to Cork", "New office in Cork", "180h", "19500", ("Ines Okafor", "Jonas Brandt", "Tomasz Wilk"),
        ("Cabling", "Server room", "Moving days", "Acceptance"),
    ),
    Plan(
        "Ostrand Shipping", "Ship networks", "Networks of the new coasters", "200h", "26500", ("Lena Vogt", "Petra Lindahl"),
        ("Planning", "On board", "Documentation"),
    ),
)  # fmt: skip
TASKS = {("Acme", "Helpdesk"): ("Remote help", "On site"), ("Quillby School", "Courses"): ("Preparation", "Teaching")}
"""The tasks of services without a project, by the names of customer and service."""


async def create(
    customers: dict[str, DemoCustomer], agents: dict[str, AgentReader], at: datetime
) -> dict[tuple[str, str], DemoProject]:
    """Create the projects of `PLANS` with their tasks, and the tasks of services in `TASKS`.

    Return the projects by the names of customer and service.
    """
    for (customer, name), tasks in TASKS.items():
        for task in tasks:
            await Task.create(customers[customer].service(name), TaskFacts(name=task))
    return {(plan.customer, plan.service): await _found(plan, customers[plan.customer], agents, at) for plan in PLANS}


async def create_call_outs(customers: dict[str, DemoCustomer]) -> dict[int, int]:
    """Create a task with a fixed fee for Acme's helpdesk, and return the id of the task by the id of the service."""
    service = customers["Acme"].service("Helpdesk")
    task = await Task.create(service, TaskFacts(name="Call-out", fixed_fee="35"))
    return {service.id: task.id}


async def _found(plan: Plan, customer: DemoCustomer, agents: dict[str, AgentReader], at: datetime) -> DemoProject:
    service = customer.service(plan.service)
    facts = ProjectFacts(
        name=plan.name, service_id=str(service.id), budget_minutes=plan.hours, budget_amount=plan.amount
    )
    project = await Project.create(await Customer.find(customer.id, SYSTEM), facts, at)
    await project.staff([agents[name].id for name in plan.members])
    tasks = [await Task.create(project, TaskFacts(name=name)) for name in plan.tasks]
    return DemoProject(project, tuple(task.id for task in tasks))


def connect(scenario: Scenario) -> None:
    """Plan for yesterday evening that the latest cases of each project's customer are connected to the project."""
    at = scenario.calendar.instant(scenario.calendar.yesterday, 18 * 60 + 20)
    for planned in scenario.projects.values():
        scenario.timeline.plan(at, partial(_connect, scenario, planned.project))


async def _connect(scenario: Scenario, project: Project, at: datetime) -> None:
    by = scenario.agent("Max Herrmann")
    rows = await current().fetch(
        "select number from cases where customer_id = $1 order by id desc limit $2", project.customer_id, CONNECTED
    )
    for row in rows:
        await (await Case.find(row["number"], by)).change_facts(by=by, at=at, project_id=project.id)
