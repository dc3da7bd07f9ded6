"""Serve the list of the signed-in agent's appointments, and the list of a case's appointments."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.pages import agent_page
from portal.desk import Details
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.timekeeping.appointments import list_appointments
from portal.web.visit import Web


@get("/appointments")
async def show_own(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show the signed-in agent's planned appointments.

    With `?past=yes`, show the agent's appointments that took place or were cancelled instead.
    """
    return await _list(request, reader, agent_id=reader.id)


@get("/cases/{number:str}/appointments")
async def show_of_case(request: Web, reader: NamedDependency[AgentReader], number: FromPath[str]) -> Response[str]:
    """Show a case's planned appointments.

    With `?past=yes`, show the case's appointments that took place or were cancelled instead.
    """
    details = await Details.find(number, reader)
    return await _list(request, reader, details, case_id=details.case.id)


async def _list(request: Web, reader: AgentReader, details: Details | None = None, **of: int) -> Response[str]:
    past, after = request.query_params.get("past") == "yes", number_in(request.query_params.get("after"))
    return await agent_page(
        request, reader, "agent/appointments/list.html", details=details, past=past, turned=after is not None,
        shown=await list_appointments(**of, past=past, after=after),
    )  # fmt: skip


handlers: list[Any] = [show_own, show_of_case]
