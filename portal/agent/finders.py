"""What agents find by typing; `portal/database/finder.py` says how."""

from typing import Any

from litestar import Request, Response, get

from portal.people.agents import AGENTS
from portal.people.customers import CUSTOMERS
from portal.web.finding import suggested


@get("/finders/customers")
async def suggest_customers(request: Request[Any, Any, Any]) -> Response[str]:
    """Suggest customers; the ended ones come last."""
    return await suggested(request, CUSTOMERS)


@get("/finders/agents")
async def suggest_agents(request: Request[Any, Any, Any]) -> Response[str]:
    """Suggest agents; the ended ones come last."""
    return await suggested(request, AGENTS)


handlers: list[Any] = [suggest_customers, suggest_agents]
