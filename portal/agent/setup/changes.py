"""Set-up: who changed what. Admins only."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from portal import audit
from portal.agent.pages import agent_page
from portal.people.readers import AgentReader
from portal.web.guards import admin_only


@get("/setup/changes", guards=[admin_only])
async def show(request: Request[Any, Any, Any], reader: NamedDependency[AgentReader]) -> Response[str]:
    """The audit, the last change first; `before` turns the page."""
    typed = request.query_params.get("before", "")
    before = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 19 else None
    changes, following = await audit.latest(before)
    return await agent_page(
        request, reader, "agent/setup/changes.html", changes=changes, turned=before is not None, following=following
    )


handlers: list[Any] = [show]
