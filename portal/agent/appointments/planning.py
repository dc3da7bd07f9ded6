"""Serve the forms that plan, change and cancel an appointment of a case, and record that it took place (S1.11)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct
from msgspec.structs import asdict

from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk import Case, Details
from portal.desk.appointments import Appointment, AppointmentFacts, AppointmentKind
from portal.errors import Conflict
from portal.people.agents import AGENTS, Agent
from portal.people.offered import choices, with_stored
from portal.people.readers import AgentReader
from portal.web.edits import edited
from portal.web.finding import settle
from portal.web.forms import Form
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, last_part, page_of, visit_of

OWN = "/agent/appointments"
"""The URL path of the list of the agent's own appointments."""
USUAL_LENGTH = timedelta(hours=1)
AGENT = {"agent_id": AGENTS}
"""The search field that replaces the select field of the form if there are too many agents for a select field."""
KINDS = [(kind.value, kind.word) for kind in AppointmentKind]


class NewAppointment(AppointmentFacts, kw_only=True):
    """Fields of the form that plans an appointment.

    `form_key` identifies the form, so that a form that is sent twice plans one appointment.
    """

    form_key: str = ""


class Step(Struct, kw_only=True):
    """Form of a button that changes the state of an appointment.

    If `then` is `log`, the form for logging time is shown next.
    """

    then: str = ""


@get("/cases/{number:str}/appointments/new")
async def new(request: Web, number: FromPath[str]) -> Response[str]:
    """Show the form for planning an appointment. The form suggests the next full hour and the agent of the case."""
    return await _new(request, number=number)


async def _new(
    request: Web, *, number: str, typed: dict[str, Any] | None = None, errors: dict[str, str] | None = None
) -> Response[str]:
    visit = visit_of(request)
    reader: Any = visit.reader
    details = await Details.find(number, reader)
    begins = visit.at.astimezone(reader.zone).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    usual = AppointmentFacts(
        day=begins.date().isoformat(), begins=f"{begins:%H:%M}", ends=f"{begins + USUAL_LENGTH:%H:%M}",
        agent_id=str(details.case.agent_id if details.case.agent_id and details.agent_works else reader.id),
    )  # fmt: skip
    return await form_page(
        request, "agent/appointments/form.html", details=details, appointment=None, kinds=KINDS,
        agents=await Agent.selectable(), typed=typed or asdict(usual), errors=errors, finders=AGENT,
    )  # fmt: skip


@post("/cases/{number:str}/appointments/new")
@on_refusal(_new)
async def plan(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Plan an appointment and redirect to the case."""
    async with transaction(reader):
        await settle(form, "agent_id", AGENTS)
        fields = form.into(NewAppointment)
        case = await Case.find(number, reader, hold=True)
        await Appointment.plan(case, fields, by=reader, at=at, form_key=form.key)
    return see_other(f"/agent/cases/{number}#appointments")


@get("/cases/{number:str}/appointments/{appointment:int}")
async def show(request: Web, number: FromPath[str], appointment: FromPath[int]) -> Response[str]:
    """Show the form for changing an appointment.

    If the appointment took place or was cancelled, show its values without a form.
    """
    return await _show(request, number=number, appointment=appointment)


async def _show(request: Web, *, number: str, appointment: int, **again: Any) -> Response[str]:
    reader: Any = visit_of(request).reader
    details = await Details.find(number, reader)
    found = await Appointment.find(appointment, details.case)
    agents, agent = await Agent.selectable(), await Agent.find(found.agent_id)
    return await form_page(
        request, "agent/appointments/form.html", details=details, appointment=found, facts=found.facts(reader.zone),
        kinds=KINDS, agent=agent, finders=AGENT,
        agents=None if agents is None else with_stored(choices(agents), agent.id, f"{agent.name} (has left)"), **again,
    )  # fmt: skip


@asynccontextmanager
async def _locked(number: str, appointment: int, reader: AgentReader) -> AsyncIterator[tuple[Case, Appointment]]:
    """Open a transaction and yield a case and its appointment, both locked. Raise `NotFound` if either is missing."""
    async with transaction(reader):
        case = await Case.find(number, reader, hold=True)
        yield case, await Appointment.find(appointment, case, hold=True)


@post("/cases/{number:str}/appointments/{appointment:int}")
@on_refusal(_show, Conflict)
async def change(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
    appointment: FromPath[int],
) -> Response[Any]:
    """Save the changed fields of an appointment and redirect to the case."""
    async with _locked(number, appointment, reader) as (case, found):
        await settle(form, "agent_id", AGENTS, found.agent_id)
        fields = edited(form, AppointmentFacts, found.facts(reader.zone))
        await found.change(case, fields, by=reader, at=at)
    return see_other(f"/agent/cases/{number}#appointments")


STEPS = {"holding": Appointment.hold_it, "cancellation": Appointment.call_off, "resumption": Appointment.plan_again}
"""What each button does with an appointment, by the last part of the URL to which the button posts."""


@post([f"/cases/{{number:str}}/appointments/{{appointment:int}}/{step}" for step in STEPS])
async def take_step(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
    appointment: FromPath[int],
) -> Response[Any]:
    """Record that an appointment took place, cancel it, or make it planned again.

    If `then` is `log`, redirect to the form for logging the time of the appointment. Otherwise redirect to the page on
    which the button was clicked: the list of the agent's appointments, or the case.
    """
    then = form.into(Step).then
    async with _locked(number, appointment, reader) as (case, found):
        await STEPS[last_part(request)](found, case, by=reader, at=at)
    if then == "log":
        return see_other(f"/agent/time/new?appointment={appointment}")
    if page_of(request).partition("?")[0] == OWN:
        return see_other(page_of(request))
    return see_other(f"/agent/cases/{number}#appointments")


handlers: list[Any] = [new, plan, show, change, take_step]
