"""What agents find by typing; `portal/database/finder.py` says how."""

from typing import Any

from litestar import Response, get

from portal.people.agents import AGENTS
from portal.people.customers import CUSTOMERS
from portal.web.finding import suggested
from portal.web.visit import Web


@get("/finders/customers")
async def suggest_customers(request: Web) -> Response[str]:
    """Suggest customers; the ended ones come last."""
    return await suggested(request, CUSTOMERS)


@get("/finders/agents")
async def suggest_agents(request: Web) -> Response[str]:
    """Suggest agents; the ended ones come last."""
    return await suggested(request, AGENTS)


handlers: list[Any] = [suggest_customers, suggest_agents]
