"""One's own time: the list by day, submitting, and logging time that is not on a case."""

import contextlib
import uuid
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from portal.agent.pages import agent_page
from portal.agent.time.form import Chosen, Logged, state_of
from portal.billing import list_entries
from portal.contracts.services import Service
from portal.contracts.tasks import Task
from portal.database import transaction
from portal.desk import Case, Details
from portal.errors import Conflict, Invalid, NotFound
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.periods import today
from portal.timekeeping import lists
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.preview import Understood, understood
from portal.timekeeping.states import Submission, submit
from portal.web import drafts
from portal.web.forms import Form
from portal.web.pages import on_refusal, page, see_other
from portal.web.visit import Web, visit_of
from portal.words import EntryBilling, EntryState


@get("/time")
async def own_time(request: Web) -> Response[str]:
    """One's own entries by day, with what can be submitted, and a form for time outside of cases."""
    return await _own_time(request)


async def _own_time(
    request: Web,
    *,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    outcome: Submission | None = None,
) -> Response[str]:
    visit, query = visit_of(request), request.query_params
    reader: Any = visit.reader
    which = lists.Filter(
        "agent", reader.id, state=state_of(query.get("state")), after=lists.key(query.get("after", ""))
    )
    entries = await list_entries(reader, which)
    kept, day = await drafts.kept(reader, "/agent/time"), today(reader.time_zone, visit.at)
    return await agent_page(
        request, reader, "agent/time/list.html", status=Conflict.status if outcome and not outcome.submitted else 200,
        which=which, entries=entries, counts=await lists.counts(reader, reader.id), states=list(EntryState), outcome=outcome,
        today=day, services=await Service.all_offered(day), tasks=[], form_key=uuid.uuid4(), understood=Understood(),
        errors=errors or {}, typed=typed or kept["/agent/time"],
    )  # fmt: skip


@get("/time/tasks")
async def tasks(request: Web) -> Response[str]:
    """The field for the task, with the tasks of the service, project or case that is chosen."""
    query = request.query_params
    service, project = number_in(query.get("service")), number_in(query.get("project"))
    return page(request, "agent/time/_task.html", tasks=await Task.offered(service=service, project=project))


@get("/time/preview")
async def preview(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show what the form understood so far: of the own list, where a case may be named, or of an entry that is changed."""
    typed, details = request.query_params, None
    with contextlib.suppress(NotFound):
        details = await Details.find(typed.get("case", "").strip().removeprefix("#"), reader)
    usual = "" if details is None or details.type_is_billable else EntryBilling.NOT_BILLABLE.value
    customer = details.case.customer_id if details else number_in(typed.get("customer"))
    line = await understood(
        reader, customer, duration=typed.get("duration", ""), work_date=typed.get("work_date", ""),
        service_id=number_in(typed.get("service")) or (details.case.service_id if details else None), billing=typed.get("billing") or usual,
        external_comment="",
    )  # fmt: skip
    return page(request, "agent/cases/_understood.html", understood=line)


@post("/time")
@on_refusal(_own_time)
async def log_time(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
) -> Response[Any]:
    """Log time on the case whose number is given, under its service unless another is chosen; of a customer without a case, under a service;
    or general time (S2.38, S2.40). Billable as the case's type says, or as chosen."""
    fields = form.into(Logged)
    async with transaction(reader):
        case = await _case_of(fields.case, reader)
        work = fields.work(fields.service or (case.service_id if case else None))
        await TimeEntry.log(reader, work, at=at, case=case, form_key=form.key)
    return see_other("/agent/time")


@post("/time/submission")
@on_refusal(_own_time)
async def submit_time(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
) -> Response[Any]:
    """Hand the ticked entries over; what cannot be submitted is reported, the rest goes (S0.24 to S0.26)."""
    chosen = form.into(Chosen).entry
    if not chosen:
        raise Invalid({"": "Tick the entries that you want to submit."})
    async with transaction(reader):
        outcome = await submit(reader, chosen, at=at)
    if not outcome.refused:
        return see_other("/agent/time?state=submitted")
    async with transaction(reader, readonly=True):
        return await _own_time(request, outcome=outcome)


async def _case_of(typed: str, reader: AgentReader) -> Case | None:
    """The case whose number was typed, with or without #; none for general time."""
    if not typed.strip():
        return None
    try:
        return await Case.find(typed.strip().removeprefix("#"), reader)
    except NotFound:
        raise Invalid({"case": "There is no case with this number."}) from None


handlers: list[Any] = [own_time, tasks, preview, log_time, submit_time]
