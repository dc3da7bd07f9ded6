"""Projects: pieces of work for one customer, with cases, time entries and an optional budget (S2.2, S3.39)."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg
from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Integer, Numeric, Text, Timestamptz
from piccolo.query import OrderByRaw
from piccolo.table import Table

from portal.contracts.contracts import Contract
from portal.contracts.services import Service
from portal.database import current
from portal.database.finder import Finder
from portal.database.rows import one
from portal.database.uniqueness import unless_taken
from portal.durations import parse_duration, spoken
from portal.errors import Invalid, NotFound
from portal.fields import Checked, identifier, in_range, line, one_of, optional
from portal.money import digits_of, parse_money
from portal.people.customers import Customer
from portal.people.readers import SYSTEM
from portal.words import ProjectState

LONGEST_BUDGET = 100_000 * 60
"""The maximum time budget, in minutes (100,000 hours)."""
SERVICE_STAYS = "Time is logged on this project, so its service stays. Make a new project for another one."


class ProjectFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a project as typed.

    `state` is a member of `ProjectState`. Both budgets are optional: `budget_minutes` is a duration such as `120h`, and
    `budget_amount` is an amount in the currency of the service's contract.
    """

    name: str
    service_id: str = ""
    state: str = "open"
    budget_minutes: str = ""
    budget_amount: str = ""


class Project(Table, tablename="project"):
    """A piece of work for one customer. Its time is logged under one of the customer's services.

    `budget_minutes` and `budget_amount` are None if the project has no such budget.
    """

    id: BigSerial = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    service_id = BigInt(default=None)
    name = Text(default=None)
    state = Text(default=None)
    budget_minutes = Integer(null=True, default=None)
    budget_amount = Numeric(digits=(15, 3), null=True, default=None)
    created_at = Timestamptz(default=None)

    @classmethod
    async def find(cls, project: int, *, customer: int | None = None, hold: bool = False) -> "Project":
        """Return the project with this id. With `hold`, lock the row until the transaction ends.

        Raise `NotFound` if there is no such project, or if `customer` is given and the project belongs to another
        customer (R29).
        """
        query = cls.objects().where(cls.id == in_range(project))
        return await one(query if customer is None else query.where(cls.customer_id == customer), hold=hold)

    @classmethod
    async def offered(cls, customer: int) -> list[tuple[int, str]]:
        """Return the options of a form field: id and name of the customer's projects that are not done, sorted by name."""
        query = cls.select(cls.id, cls.name).where(
            (cls.customer_id == customer) & (cls.state != ProjectState.DONE.value)
        )
        return [(row["id"], row["name"]) for row in await query.order_by(OrderByRaw("folded(name)"))]

    @classmethod
    async def create(cls, customer: Customer, facts: ProjectFacts, at: datetime) -> "Project":
        """Create a project of the customer and return it.

        Raise `Invalid` with an error message for each bad field, or if the customer has another project of that name.
        """
        project = cls(**await _read(facts, customer.id), customer_id=customer.id, created_at=at)
        async with unless_taken("name", _taken(project.name)):
            await project.save()
        return project

    async def change(self, facts: ProjectFacts) -> None:
        """Replace every field of the project.

        Raise `Invalid` for the same reasons as `create`, or if the service changes although time is logged on the
        project.
        """
        values = await _read(facts, self.customer_id)
        try:
            async with unless_taken("name", _taken(values["name"])):
                columns = {getattr(Project, name): value for name, value in values.items()}
                await Project.update(columns).where(Project.id == self.id)
        except asyncpg.ForeignKeyViolationError as error:  # A time entry refers to project and service together.
            raise Invalid({"service_id": SERVICE_STAYS}) from error

    async def members(self) -> list[int]:
        """Return the ids of the agents who are members of the project, in ascending order."""
        query = ProjectMember.select(ProjectMember.agent_id).where(ProjectMember.project_id == self.id)
        return [row["agent_id"] for row in await query.order_by(ProjectMember.agent_id)]

    async def staff(self, agents: list[int]) -> None:
        """Make the agents with these ids the members of the project, and no others. Unknown ids are ignored."""
        await ProjectMember.delete().where(
            (ProjectMember.project_id == self.id) & ProjectMember.agent_id.not_in([*agents, 0])
        )
        await current().execute(
            "insert into project_member (customer_id, project_id, agent_id) select $1, $2, a.id from agent a where a.id = any ($3::bigint[])"
            " on conflict do nothing",
            self.customer_id, self.id, agents,
        )  # fmt: skip

    async def facts(self) -> ProjectFacts:
        """Return the stored values of the project as form fields, to fill in the form that edits them."""
        amount = self.budget_amount
        return ProjectFacts(
            name=self.name,
            service_id=str(self.service_id),
            state=self.state,
            budget_minutes=spoken(self.budget_minutes) if self.budget_minutes else "",
            budget_amount=f"{amount:.{digits_of(await self.currency())}f}" if amount else "",
        )

    async def currency(self) -> str:
        """Return the currency of the project's budget: the currency of the contract of the project's service."""
        return await _currency_of(self.service_id)


class ProjectMember(Table, tablename="project_member"):
    """An agent's membership in a project."""

    customer_id = BigInt(default=None)
    project_id = BigInt(primary_key=True, default=None)
    agent_id = BigInt(default=None)


def _taken(name: str) -> str:
    return f"This customer has a project “{name}” already."


async def _currency_of(service: int) -> str:
    found = await Service.find(service, SYSTEM)
    return (await Contract.find(found.contract_id, SYSTEM)).currency


PROJECTS = Finder(
    "project",
    "select j.id, j.name, u.name as about, j.state = 'done' as is_last from project j join customer u on u.id = j.customer_id",
)
"""Type-ahead search of projects by name. Projects that are done come last."""


async def _read(facts: ProjectFacts, customer: int) -> dict[str, Any]:
    checked = Checked()
    service_id = checked("service_id", identifier, facts.service_id)
    digits = 2
    if service_id is not None:
        try:
            await Service.find(service_id, SYSTEM, customer=customer)
            digits = digits_of(await _currency_of(service_id))
        except NotFound:
            checked.refuse("service_id", "Choose a service of this customer.")
    values: dict[str, Any] = {
        "name": checked("name", line, facts.name),
        "service_id": service_id,
        "state": checked("state", one_of(tuple(ProjectState)), facts.state),
        "budget_minutes": checked("budget_minutes", optional(_budget), facts.budget_minutes),
        "budget_amount": checked("budget_amount", optional(lambda text: _amount(text, digits)), facts.budget_amount),
    }
    checked.done()
    return values


def _budget(text: str) -> int:
    return parse_duration(text, most=LONGEST_BUDGET, too_long="A budget holds at most 100,000 h.")


def _amount(text: str, digits: int) -> Decimal:
    read = parse_money(text, digits)
    if not read:
        raise ValueError("Write an amount above 0, or leave it empty.")
    return read
