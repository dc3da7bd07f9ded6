"""Serve the list of an agent's own appointments: those that are planned, and those that are over."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from portal.agent.pages import agent_page
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.timekeeping.appointments import own_appointments
from portal.web.visit import Web


@get("/appointments")
async def show_own(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show the agent's planned appointments or, with `?past=yes`, those that took place or were called off."""
    past, after = request.query_params.get("past") == "yes", number_in(request.query_params.get("after"))
    return await agent_page(
        request, reader, "agent/appointments/own.html", past=past, turned=after is not None,
        shown=await own_appointments(reader, past=past, after=after),
    )  # fmt: skip


handlers: list[Any] = [show_own]
