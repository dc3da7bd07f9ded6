"""Serve the list of one appointment's time entries, where agents filter, change and submit the entries (S1.11)."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.pages import agent_page
from portal.agent.time.listing import Place, listing, submit_here
from portal.database import transaction
from portal.desk import Case, Details
from portal.desk.appointments import Appointment
from portal.people.readers import AgentReader
from portal.timekeeping.states import Submission
from portal.web.forms import Form
from portal.web.guards import case_time_tracked
from portal.web.pages import on_refusal
from portal.web.visit import Web


@get("/cases/{number:str}/appointments/{appointment:int}/time", guards=[case_time_tracked])
async def appointment_time(
    request: Web, reader: NamedDependency[AgentReader], number: FromPath[str], appointment: FromPath[int]
) -> Response[str]:
    """Show one page of the time entries of an appointment."""
    return await _appointment_time(request, reader=reader, number=number, appointment=appointment)


async def _appointment_time(
    request: Web, *, reader: AgentReader, number: str, appointment: int, outcome: Submission | None = None, **again: Any
) -> Response[str]:
    details = await Details.find(number, reader)
    found = await Appointment.find(appointment, details.case)
    return await agent_page(
        request, reader, "agent/appointments/time.html", details=details, appointment=found,
        **await listing(request, reader, _of(details.case, appointment), outcome=outcome), **again,
    )  # fmt: skip


@post("/cases/{number:str}/appointments/{appointment:int}/time/submission", guards=[case_time_tracked])
@on_refusal(_appointment_time)
async def submit_appointment_time(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    number: FromPath[str],
    appointment: FromPath[int],
) -> Response[Any]:
    """Submit the ticked time entries of an appointment, or all that match the filter.

    If some entries cannot be submitted, submit the others and show the page with the reason for each refused entry.
    """
    async with transaction(reader, readonly=True):
        case = await Case.find(number, reader)
        await Appointment.find(appointment, case)
    place = _of(case, appointment)
    return await submit_here(
        request, form, _appointment_time, place, reader=reader, number=number, appointment=appointment
    )


def _of(case: Case, appointment: int) -> Place:
    return Place("appointment", appointment, f"/agent/cases/{case.number}/appointments/{appointment}/time")


handlers: list[Any] = [appointment_time, submit_appointment_time]
