"""Serve the suggestions of the type-ahead fields that choose a customer, an agent or a service (`portal/database/finder.py`)."""

from typing import Any

from litestar import Response, get

from portal.contracts.services import SERVICES
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


@get("/finders/services")
async def suggest_services(request: Web) -> Response[str]:
    """Serve services whose customer and name match the typed text; those of ended customers come last."""
    return await suggested(request, SERVICES)


handlers: list[Any] = [suggest_customers, suggest_agents, suggest_services]
