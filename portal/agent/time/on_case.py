"""Time on one case: the form in its page, what the form understood, and the list of all its entries."""

import uuid
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.case import show_case
from portal.agent.pages import agent_page
from portal.agent.time.form import Logged, state_of
from portal.billing import list_entries
from portal.contracts.services import Service
from portal.contracts.tasks import Task
from portal.database import transaction
from portal.desk import Case, Details
from portal.numbers import number_in
from portal.people.agents import Agent
from portal.people.readers import AgentReader
from portal.periods import today
from portal.timekeeping import lists
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.preview import Understood, understood
from portal.web.forms import Form
from portal.web.pages import on_refusal, page, see_other
from portal.web.visit import Web, visit_of
from portal.words import EntryState


@get("/cases/{number:str}/time/preview")
async def preview(
    request: Web, reader: NamedDependency[AgentReader], at: NamedDependency[datetime], number: FromPath[str]
) -> Response[str]:
    """What the log-time form understood so far."""
    details, typed = await Details.find(number, reader), request.query_params
    line = await understood(
        reader, details.case.customer_id, duration=typed.get("duration", ""), work_date=typed.get("work_date", ""),
        service_id=number_in(typed.get("service")), billing=typed.get("billing", ""), external_comment=typed.get("external_comment", ""),
    )  # fmt: skip
    return page(request, "agent/cases/preview.swap.html", understood=line, details=details)


@get("/cases/{number:str}/time")
async def case_time(request: Web, number: FromPath[str]) -> Response[str]:
    """All time on a case, in pages, and a form to log more, for somebody else too where the reader may (S1.12, S1.15)."""
    return await _case_time(request, number=number)


async def _case_time(
    request: Web, *, number: str, errors: dict[str, str] | None = None, typed: dict[str, str] | None = None
) -> Response[str]:
    visit, query = visit_of(request), request.query_params
    reader: Any = visit.reader
    details, day = await Details.find(number, reader), today(reader.time_zone, visit.at)
    known = await Agent.known()
    which = lists.Filter(
        "case",
        details.case.id,
        state=state_of(query.get("state")),
        agent_id=number_in(query.get("agent")),
        after=lists.key(query.get("after", "")),
    )
    return await agent_page(
        request, reader, "agent/time/case.html", details=details, which=which, entries=await list_entries(reader, which), today=day,
        services=await Service.offered(details.case.customer_id, day), tasks=await Task.offered(customer=details.case.customer_id),
        agents=[agent for agent in known if not agent.has_ended], known=known, states=list(EntryState),
        understood=Understood(), form_key=uuid.uuid4(), errors=errors or {}, typed=typed or {},
    )  # fmt: skip


async def _refused_time(request: Web, *, number: str, form: Form, **again: Any) -> Response[str]:
    """Show the page whose form was sent: only the form on the list of a case's time asks for the agent."""
    if "agent" in form.fields:
        return await _case_time(request, number=number, **again)
    return await show_case(request, number=number, refused_form="time", **again)


@post("/cases/{number:str}/time")
@on_refusal(_refused_time)
async def log_on_case(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Log time on a case; it waits in the own list until it is submitted."""
    fields = form.into(Logged)
    async with transaction(reader):
        case = await Case.find(number, reader)
        work = fields.work(fields.service)
        entry = await TimeEntry.log(reader, work, at=at, case=case, agent_id=fields.agent, form_key=form.key)
    return see_other(f"/agent/cases/{number}#entry-{entry.id}")


handlers: list[Any] = [preview, case_time, log_on_case]
