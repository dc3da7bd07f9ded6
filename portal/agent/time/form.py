"""The form for time: what it sends, and what it offers for the thing that time is logged on."""

from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from portal.contracts.services import Service
from portal.contracts.tasks import Task, TaskChoice
from portal.people.agents import Agent
from portal.people.offered import Offered
from portal.people.readers import AgentReader
from portal.people.roles import Role
from portal.periods import today
from portal.timekeeping.logged_on import On
from portal.timekeeping.work import Work
from portal.web.visit import Web, visit_of
from portal.words import EntryBilling, EntryState


class Logged(Struct, kw_only=True):
    """The form for time. `on`: what it is logged on (`timekeeping.logged_on`), beside it what was typed; `agent`: who worked it, where a manager
    writes for somebody else; `kind`: of general time that is changed; `back`: the page to go back to."""

    on: str = ""
    on_typed: str = ""
    duration: str = ""
    work_date: str = ""
    began: str = ""
    ended: str = ""
    service: int | None = None
    task: int | None = None
    kind: int | None = None
    role: int | None = None
    billing: str = ""
    external_comment: str = ""
    description: str = ""
    agent: int | None = None
    form_key: str = ""
    counts: str = ""
    override_reason: str = ""
    back: str = ""

    def work(self, service_id: int | None, *, kind_id: int | None = None, held: int = 0) -> Work:
        """Return what it says. `held`: the minutes that a plus sign adds to. Raises `Invalid` by field."""
        return Work.typed(
            duration=self.duration, work_date=self.work_date, began=self.began, ended=self.ended, held=held,
            service_id=service_id, task_id=self.task, general_kind_id=kind_id, role_id=self.role, billing=self.billing,
            external_comment=self.external_comment, description=self.description, counts=self.counts, override_reason=self.override_reason,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choices:
    """What the form offers. `usual`: the charge unless somebody says otherwise; `people`: who may have worked, for managers."""

    services: list[tuple[int, str]] = field(default_factory=list)
    tasks: list[TaskChoice] = field(default_factory=list)
    roles: list[Any] = field(default_factory=list)
    people: list[Offered] = field(default_factory=list)
    usual: str = EntryBilling.BILLABLE.value

    @classmethod
    async def of(cls, request: Web, on: On | None) -> "Choices":
        """Return what can be chosen for new time on `on`."""
        visit = visit_of(request)
        reader: Any = visit.reader
        return cls(
            services=await services_of(request, on.customer_id) if on and on.kind == "case" else [],
            tasks=await _tasks_of(on),
            roles=await Role.all_by_name(),
            people=await people_of(reader),
            usual=(EntryBilling.NOT_BILLABLE if on and on.billable is False else EntryBilling.BILLABLE).value,
        )


async def services_of(request: Web, customer_id: int | None) -> list[tuple[int, str]]:
    """Return the services of a customer whose contract has not ended."""
    visit = visit_of(request)
    reader: Any = visit.reader
    return await Service.offered(customer_id, today(reader.time_zone, visit.at)) if customer_id else []


async def people_of(reader: AgentReader) -> list[Offered]:
    """Return whose time the reader may write; nobody where only their own."""
    return await Agent.offered() if reader.is_manager else []


async def _tasks_of(on: On | None) -> list[TaskChoice]:
    if on is None or on.customer_id is None:
        return []
    if on.kind == "case":
        return await Task.offered(customer=on.customer_id)
    return await Task.offered(service=on.service_id, project=on.row_id if on.kind == "project" else None)


class Chosen(Struct, kw_only=True):
    """The entries that are ticked."""

    entry: list[int]


def state_of(text: str | None) -> EntryState | None:
    """Return the state that an address asks for; one that makes no sense is not asked for."""
    return EntryState(text) if text in list(EntryState) else None
