"""Tasks: pieces of work inside a service, or in one of its projects alone, each billable by default or not (S0.8, S0.10)."""

from datetime import datetime
from typing import NamedTuple

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Boolean, Text, Timestamptz
from piccolo.query import OrderByRaw
from piccolo.table import Table

from portal.contracts.naming import shown_service
from portal.contracts.projects import Project
from portal.contracts.services import Service
from portal.database import current
from portal.database.uniqueness import unless_taken
from portal.errors import NotFound
from portal.fields import Checked, in_range, line, one_of

_BY_NAME = OrderByRaw("ended_at is not null, folded(name)")


class TaskFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """A task as typed. `billable` is yes or no."""

    name: str
    billable: str = "yes"


class TaskChoice(NamedTuple):
    """A task that can be chosen for an entry: `service` is its service's name, `billable` what the entry is prefilled with."""

    id: int
    name: str
    billable: bool
    service_id: int
    service: str


class Task(Table, tablename="task"):
    """A piece of work inside a service. One that has ended stays on the entries that have it."""

    id: BigSerial = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    service_id = BigInt(default=None)
    project_id = BigInt(null=True, default=None)
    name = Text(default=None)
    billable = Boolean(default=None)
    ended_at = Timestamptz(null=True, default=None)

    @classmethod
    async def find(cls, task: int, *, hold: bool = False) -> "Task":
        """Return the task; with `hold` nobody else can change it until the transaction ends. Raises `NotFound`."""
        query = cls.objects().where(cls.id == in_range(task))
        found = await (query.lock_rows("NO KEY UPDATE") if hold else query).first()
        if found is None:
            raise NotFound
        return found

    @classmethod
    async def of_service(cls, service: int) -> list["Task"]:
        """Return the tasks of a service that belong to no project, by name; the ended ones come last."""
        query = cls.objects().where((cls.service_id == service) & cls.project_id.is_null())
        return await query.order_by(_BY_NAME)

    @classmethod
    async def of_project(cls, project: int) -> list["Task"]:
        """Return the tasks of one project alone, by name; the ended ones come last."""
        return await cls.objects().where(cls.project_id == project).order_by(_BY_NAME)

    @classmethod
    async def offered(
        cls,
        *,
        customer: int | None = None,
        service: int | None = None,
        project: int | None = None,
        known: int | None = None,
    ) -> list[TaskChoice]:
        """Return the tasks for an entry: of all services of `customer`, or of one `service`; with those of `project` alone.

        Without a customer and a service there are none. `known`: the task that the entry has, which stays although it may have ended.
        """
        return [TaskChoice(*row) for row in await current().fetch(_OFFERED, customer, service, project, known)]

    @classmethod
    async def create(cls, of: Service | Project, facts: TaskFacts) -> "Task":
        """Add a task to a service, or to a project alone. Raises `Invalid` for a name that is used."""
        name, billable = _read(facts)
        is_project = isinstance(of, Project)
        task = cls(
            customer_id=of.customer_id,
            service_id=of.service_id if isinstance(of, Project) else of.id,
            project_id=of.id if is_project else None,
            name=name,
            billable=billable,
        )
        async with unless_taken("name", f"This {'project' if is_project else 'service'} has a task “{name}” already."):
            await task.save()
        return task

    async def change(self, facts: TaskFacts) -> None:
        """Rename it, or prefill later entries otherwise; entries that are there stay as they are. Raises `Invalid` for a name that is used."""
        name, billable = _read(facts)
        where = "project" if self.project_id else "service"
        async with unless_taken("name", f"This {where} has a task “{name}” already."):
            await Task.update({Task.name: name, Task.billable: billable}).where(Task.id == self.id)

    async def end(self, at: datetime) -> None:
        """Offer it no more. Repeating it changes nothing."""
        await Task.update({Task.ended_at: at}).where((Task.id == self.id) & Task.ended_at.is_null())

    async def resume(self) -> None:
        """Offer it again."""
        await Task.update({Task.ended_at: None}).where(Task.id == self.id)

    @property
    def facts(self) -> TaskFacts:
        """As its form shows it."""
        return TaskFacts(name=self.name, billable="yes" if self.billable else "no")


_OFFERED = f"""
select t.id, t.name, t.billable, t.service_id, {shown_service("t.service_id")} as service
from task t
where (t.ended_at is null or t.id = $4) and (t.customer_id = $1 or t.service_id = $2) and (t.service_id = $2 or $2::bigint is null)
  and (t.project_id is null or t.project_id = $3)
order by folded((select name from service where id = t.service_id)), t.service_id, t.project_id is null, folded(t.name), t.id
"""  # noqa: S608


def _read(facts: TaskFacts) -> tuple[str, bool]:
    checked = Checked()
    name = checked("name", line, facts.name)
    billable = checked("billable", one_of(("yes", "no")), facts.billable) == "yes"
    checked.done()
    return name, billable
