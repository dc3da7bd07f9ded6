"""Serve the list of all time entries of one case."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.pages import agent_page
from portal.agent.time.form import state_of
from portal.billing import list_entries
from portal.desk import Details
from portal.numbers import number_in
from portal.people.agents import Agent
from portal.people.readers import AgentReader
from portal.timekeeping import lists
from portal.web.visit import Web
from portal.words import EntryState


@get("/cases/{number:str}/time")
async def case_time(request: Web, reader: NamedDependency[AgentReader], number: FromPath[str]) -> Response[str]:
    """Show one page of the time entries of a case (S1.12)."""
    details, query = await Details.find(number, reader), request.query_params
    which = lists.Filter(
        "case", details.case.id, state=state_of(query.get("state")), agent_id=number_in(query.get("agent")),
        after=lists.key(query.get("after", "")),
    )  # fmt: skip
    return await agent_page(
        request, reader, "agent/time/case.html", details=details, which=which, entries=await list_entries(reader, which),
        known=await Agent.known(), states=list(EntryState),
    )  # fmt: skip


handlers: list[Any] = [case_time]
