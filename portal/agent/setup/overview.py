"""Serve the overview of the set-up: the first steps, and a map of all set-up pages with a search.

Only admins may open the overview.
"""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from portal import first_steps
from portal.agent.pages import agent_page
from portal.agent.setup import places
from portal.contracts.company import Company
from portal.database import transaction
from portal.people.readers import AgentReader
from portal.web.guards import admin_only
from portal.web.pages import page, see_other
from portal.web.visit import Web, visit_of, wants_fragment


@get("/setup", guards=[admin_only])
async def overview(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show every page of the set-up, and the remaining steps to the first invoice.

    With `?q=`, show only the pages that match this text, and no steps. A request by htmx gets only the map of pages.
    """
    search, rules = request.query_params.get("q", "").strip(), visit_of(request).rules
    steps = await first_steps.first_steps(rules, visit_of(request).at)
    shown: dict[str, Any] = {
        "search": search,
        "groups": places.found(search),
        "notes": places.notes(steps.ready, rules),
        "steps": steps,
    }
    if wants_fragment(request):
        return page(request, "agent/setup/_map.html", **shown)
    return await agent_page(request, reader, "agent/setup/overview.html", **shown)


@post("/setup/first-steps/dismissal", guards=[admin_only])
async def dismiss(reader: NamedDependency[AgentReader], at: NamedDependency[datetime]) -> Response[Any]:
    """Hide the first steps for all admins, and redirect to the set-up."""
    async with transaction(reader):
        await Company.dismiss_steps(at)
    return see_other("/agent/setup")


@post("/setup/first-steps/return", guards=[admin_only])
async def show_again(reader: NamedDependency[AgentReader]) -> Response[Any]:
    """Show the first steps again to all admins, and redirect to the set-up."""
    async with transaction(reader):
        await Company.dismiss_steps(None)
    return see_other("/agent/setup")


handlers: list[Any] = [overview, dismiss, show_again]
