"""Tasks: kinds of work within a service or a project.

The task of a time entry decides whether the entry is billable by default (S0.8, S0.10).
"""

from collections.abc import Collection
from typing import Any, NamedTuple

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Boolean, Numeric, Text, Timestamptz
from piccolo.query import OrderByRaw
from piccolo.table import Table

from portal.contracts.naming import shown_service
from portal.contracts.projects import Project
from portal.contracts.services import Service
from portal.database import current
from portal.database.finder import Finder
from portal.database.rows import Endable, one
from portal.database.uniqueness import unless_taken
from portal.fields import Checked, in_range, line, optional, yes_or_no
from portal.money import digits_of, parse_money

_BY_NAME = OrderByRaw("ended_at is not null, folded(name)")


class TaskFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a task as typed.

    `billable` is `yes` or `no`. `fixed_fee` is the amount that each billable entry costs, in the currency of the
    contract; it is empty for a task that is priced by the hour.
    """

    name: str
    billable: str = "yes"
    fixed_fee: str = ""


class TaskChoice(NamedTuple):
    """A task that can be chosen for a time entry.

    `service` is the name of the task's service. `billable` says whether an entry with the task is billable by default.
    """

    id: int
    name: str
    billable: bool
    service_id: int
    service: str


class Task(Endable, Table, tablename="task"):
    """A kind of work within a service. `billable` says whether time entries with the task are billable by default.

    With a `fixed_fee`, each billable entry costs that amount, however long it took. Otherwise, an entry is priced by
    the hour.

    If `project_id` is None, the task can be chosen for all time of its service; otherwise only for time on that
    project. `ended_at` is None while the task can be chosen; time entries keep a task that has ended.
    """

    id: BigSerial = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    service_id = BigInt(default=None)
    project_id = BigInt(null=True, default=None)
    name = Text(default=None)
    billable = Boolean(default=None)
    fixed_fee = Numeric(digits=(15, 3), null=True, default=None)
    ended_at = Timestamptz(null=True, default=None)

    @classmethod
    async def find(cls, task: int, *, hold: bool = False) -> "Task":
        """Return the task with this id. With `hold`, lock the row until the transaction ends.

        Raise `NotFound` for an unknown id.
        """
        return await one(cls.objects().where(cls.id == in_range(task)), hold=hold)

    @classmethod
    async def of_service(cls, service: int) -> list["Task"]:
        """Return the tasks of a service that belong to no project, sorted by name; those that have ended come last."""
        query = cls.objects().where((cls.service_id == service) & cls.project_id.is_null())
        return await query.order_by(_BY_NAME)

    @classmethod
    async def of_project(cls, project: int) -> list["Task"]:
        """Return the tasks that belong to a project, sorted by name; those that have ended come last."""
        return await cls.objects().where(cls.project_id == project).order_by(_BY_NAME)

    @classmethod
    async def open_of(cls, services: Collection[int]) -> list["Task"]:
        """Return the tasks of these services that have not ended, including tasks of projects, sorted by name."""
        if not services:
            return []
        query = cls.objects().where(cls.service_id.is_in(list(services)) & cls.ended_at.is_null())
        return await query.order_by(_BY_NAME)

    @classmethod
    async def offered(
        cls,
        *,
        customer: int | None = None,
        service: int | None = None,
        project: int | None = None,
        known: int | None = None,
    ) -> list[TaskChoice]:
        """Return the tasks that can be chosen for a time entry.

        These are the tasks of the service with the id `service` or, if that is None, of all services of `customer`. If
        both are None, the list is empty. Tasks of a project are included only if `project` is its id. `known` is the id
        of the task that the entry already has: it is included even if it has ended.
        """
        return [TaskChoice(*row) for row in await current().fetch(_OFFERED, customer, service, project, known)]

    @classmethod
    async def create(cls, of: Service | Project, facts: TaskFacts) -> "Task":
        """Add a task to a service or to a project, and return it.

        Raise `Invalid` for a bad field, or if the service or project has another task of that name.
        """
        is_project = isinstance(of, Project)
        values = await _read(facts, of.service_id if isinstance(of, Project) else of.id)
        task = cls(
            customer_id=of.customer_id,
            service_id=of.service_id if isinstance(of, Project) else of.id,
            project_id=of.id if is_project else None,
            **values,
        )
        where = "project" if is_project else "service"
        async with unless_taken("name", f"This {where} has a task “{task.name}” already."):
            await task.save()
        return task

    async def change(self, facts: TaskFacts) -> None:
        """Replace every field of the task: its name, its fixed fee, and whether its time is billable by default.

        The new default applies to later time entries only. Approved entries keep their price. Raise `Invalid` for a bad
        field, or if the service or project has another task of that name.
        """
        values = await _read(facts, self.service_id)
        where = "project" if self.project_id else "service"
        async with unless_taken("name", f"This {where} has a task “{values['name']}” already."):
            await Task.update(**values).where(Task.id == self.id)

    @property
    def facts(self) -> TaskFacts:
        """Return the stored values of the task as form fields, to fill in the form that edits them."""
        return TaskFacts(
            name=self.name,
            billable="yes" if self.billable else "no",
            fixed_fee="" if self.fixed_fee is None else f"{self.fixed_fee.normalize():f}",
        )

    @classmethod
    async def currency_of(cls, service: int) -> str:
        """Return the currency of the fixed fees of a service's tasks: the currency of the service's contract."""
        currency: str = await current().fetchval(
            "select c.currency from service s join contract c on c.id = s.contract_id where s.id = $1", service
        )
        return currency


_OFFERED = f"""
select t.id, t.name, t.billable, t.service_id, {shown_service("t.service_id")} as service
from task t
where (t.ended_at is null or t.id = $4) and (t.customer_id = $1 or t.service_id = $2) and (t.service_id = $2 or $2::bigint is null)
  and (t.project_id is null or t.project_id = $3)
order by folded((select name from service where id = t.service_id)), t.service_id, t.project_id is null, folded(t.name), t.id
"""  # noqa: S608


TASKS = Finder(
    "task",
    f"select t.id, t.name, u.name || ', ' || {shown_service('t.service_id')} as about, t.ended_at is not null as is_last"  # noqa: S608
    " from task t join customer u on u.id = t.customer_id",
)
"""Type-ahead search of tasks by name. Tasks that have ended come last."""


async def _read(facts: TaskFacts, service: int) -> dict[str, Any]:
    """Return the values of the columns of a task from the fields of its form. `service` is the id of its service."""
    checked = Checked()
    digits = digits_of(await Task.currency_of(service))
    values = {
        "name": checked("name", line, facts.name),
        "billable": checked("billable", yes_or_no, facts.billable),
        "fixed_fee": checked("fixed_fee", optional(lambda text: parse_money(text, digits)), facts.fixed_fee),
    }
    checked.done()
    return values
