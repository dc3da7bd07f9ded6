"""Serve the set-up page with the audit log: who changed what. Only admins may open it."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from portal import audit
from portal.agent.pages import agent_page
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.web.guards import admin_only
from portal.web.visit import Web


@get("/setup/changes", guards=[admin_only])
async def show(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show the audit log, latest change first. `?before=` is the keyset cursor of a further page."""
    before = number_in(request.query_params.get("before"))
    changes, following = await audit.latest(before)
    return await agent_page(
        request, reader, "agent/setup/changes.html", changes=changes, turned=before is not None, following=following
    )


handlers: list[Any] = [show]
