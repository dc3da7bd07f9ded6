"""Define the form for logging or changing time: its fields, and what its selects offer."""

from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from portal.contracts.services import Service
from portal.contracts.tasks import Task, TaskChoice
from portal.numbers import number_in
from portal.people.offered import Offered, choices
from portal.people.roles import Role
from portal.people.working.hours import workday_of
from portal.periods import today
from portal.timekeeping.lists import ListedEntry
from portal.timekeeping.logged_on import On
from portal.timekeeping.policy.picks import offered_to
from portal.timekeeping.preview import Where
from portal.timekeeping.work import Work
from portal.web.visit import Web, visit_of
from portal.words import EntryBilling


class Logged(Struct, kw_only=True):
    """Fields of the form for logging or changing time, as typed.

    `on` is the id of what the time is logged on, such as `case-1042` (see `timekeeping.logged_on`). `on_typed` is the
    text in the search field for it. `service`, `task` and `role` are ids, and `kind` is the id of the kind of general
    time, used only when an entry is changed. `agent` is the id of the agent who worked, if a manager logs time for
    somebody else. `billing` is a value of `EntryBilling`. Customers read `external_comment`; only agents read
    `description`. If the billable duration is set by hand, `counts` is this duration, and `override_reason` the reason.
    `timer` is the id of the timer whose time is logged, `appointment` the id of the appointment at which the work was
    done. `back` is the URL path to redirect to afterwards. `then` is `submit` to submit the entry after the change.
    """

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
    timer: int | None = None
    appointment: int | None = None
    back: str = ""
    then: str = ""

    async def work(self, worked_by: int, service_id: int | None, *, kind_id: int | None = None, held: int = 0) -> Work:
        """Return the work that the fields describe. Raise `Invalid` with a message for each field that is not valid.

        `worked_by` is the id of the agent who worked; a duration such as `0.25d` is a part of this agent's working day.
        `held` is the number of minutes that the entry already has: a duration such as `+15m` is added to them.
        """
        return Work.typed(
            duration=self.duration, work_date=self.work_date, began=self.began, ended=self.ended, held=held,
            workday=await workday_of(worked_by, self.duration, self.work_date),
            service_id=service_id, task_id=self.task, general_kind_id=kind_id, role_id=self.role, billing=self.billing,
            external_comment=self.external_comment, description=self.description, counts=self.counts, override_reason=self.override_reason,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choices:
    """What the select fields of the form for time offer.

    `usual` is the default of the field `billing`. `people` are the agents for whom the reader may log time; `people` is
    empty if the reader may log only their own time.
    """

    services: list[tuple[int, str]] = field(default_factory=list)
    tasks: list[TaskChoice] = field(default_factory=list)
    roles: list[tuple[int, str]] = field(default_factory=list)
    people: list[Offered] = field(default_factory=list)
    usual: str = EntryBilling.BILLABLE.value

    @classmethod
    async def of(cls, request: Web, on: On | None) -> "Choices":
        """Return the choices for a new time entry that is logged on `on`.

        `on` is None until the reader has chosen what the time is logged on; until then no services and tasks are
        offered.
        """
        visit = visit_of(request)
        reader: Any = visit.reader
        return cls(
            services=await services_of(request, on.customer_id) if on and on.kind == "case" else [],
            tasks=await _tasks_of(on),
            roles=choices(await Role.all_by_name()),
            people=await offered_to(reader, visit.rules),
            usual=(EntryBilling.NOT_BILLABLE if on and on.billable is False else EntryBilling.BILLABLE).value,
        )


async def services_of(request: Web, customer_id: int | None) -> list[tuple[int, str]]:
    """Return the id and name of each service of the customer whose contract has not ended; none without a customer."""
    visit = visit_of(request)
    reader: Any = visit.reader
    return await Service.offered(customer_id, today(reader.time_zone, visit.at)) if customer_id else []


async def _tasks_of(on: On | None) -> list[TaskChoice]:
    if on is None or on.customer_id is None:
        return []
    if on.kind == "case":
        return await Task.offered(customer=on.customer_id)
    return await Task.offered(service=on.service_id, project=on.row_id if on.kind == "project" else None)


def where_of(request: Web, typed: dict[str, Any], case_id: int | None, line: ListedEntry | None = None) -> Where:
    """Return who worked when and on which case, from the typed values of the form for time.

    `case_id` is the id of the chosen case. `line` is the entry that is changed, None for a new entry.
    """
    visit = visit_of(request)
    reader: Any = visit.reader
    worked_by = line.agent_id if line else number_in(typed.get("agent", "")) or reader.id
    return Where(
        worked_by, visit.at, case_id=case_id, entry_id=line.id if line else None,
        began=typed.get("began", ""), ended=typed.get("ended", ""),
    )  # fmt: skip
