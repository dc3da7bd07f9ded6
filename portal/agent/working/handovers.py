"""Serve the page on which managers hand over the open cases of agents who are away."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.pages import agent_page
from portal.database import transaction
from portal.desk.dispatch.handover import away_now, hand_over
from portal.people.agents import Agent
from portal.people.offered import choices
from portal.people.readers import AgentReader
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


class Successor(Struct, kw_only=True):
    """Form that hands over cases.

    `to` is the id of the agent who gets the cases, or None if the rules of dispatch choose.
    """

    to: int | None = None


@get("/handovers", guards=[manager_only])
async def handovers(request: Web) -> Response[str]:
    """Show the agents who are away today, how many open cases each has, and forms that hand over these cases."""
    return await _handovers(request)


async def _handovers(
    request: Web, *, errors: dict[str, str] | None = None, status: int = 200, **_: Any
) -> Response[str]:
    visit = visit_of(request)
    reader: Any = visit.reader
    return await agent_page(
        request, reader, "agent/working/handovers.html", status=status, away=await away_now(visit.at),
        agents=choices(await Agent.offered()), errors=errors or {},
        toast={"words": "There is no open case to hand over."} if "handed" in request.query_params else None,
    )  # fmt: skip


@post("/handovers/{agent:int}", guards=[manager_only])
@on_refusal(_handovers)
async def hand_over_cases(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    agent: FromPath[int],
) -> Response[Any]:
    """Prepare the handover of an agent's open cases, and redirect to a page that lists who is to get which case.

    Once the manager confirms the handover on that page, the cases go to the chosen colleague, or to the agents whom the
    rules of dispatch choose. If the agent has no open case, prepare nothing and redirect to the page of handovers.
    """
    async with transaction(reader):
        await Agent.find(agent)
        change = await hand_over(agent, form.into(Successor).to, by=reader, at=at)
    return see_other(f"/agent/cases/changes/{change.id}" if change else "/agent/handovers?handed=0")


handlers: list[Any] = [handovers, hand_over_cases]
