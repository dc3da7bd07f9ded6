"""Serve the suggestions of the type-ahead fields that choose a customer or an agent (`portal/database/finder.py`)."""

from typing import Any

from litestar import Response, get

from portal.people.agents import AGENTS
from portal.people.customers import CUSTOMERS
from portal.web.finding import suggested
from portal.web.visit import Web


@get("/finders/customers")
async def suggest_customers(request: Web) -> Response[str]:
    """Serve customers whose names match the typed text; ended customers come last."""
    return await suggested(request, CUSTOMERS)


@get("/finders/agents")
async def suggest_agents(request: Web) -> Response[str]:
    """Serve agents whose names match the typed text; agents who have left come last."""
    return await suggested(request, AGENTS)


handlers: list[Any] = [suggest_customers, suggest_agents]
