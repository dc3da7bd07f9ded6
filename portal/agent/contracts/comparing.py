"""Serve the page that compares what a customer's last twelve months would have cost under each template of services.

Only managers may open it.
"""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.pages import agent_page
from portal.billing import compare, last_year
from portal.people.customers import Customer
from portal.people.readers import AgentReader
from portal.periods import today
from portal.web.guards import manager_only
from portal.web.visit import Web, visit_of


@get("/customers/{customer:int}/comparison", guards=[manager_only])
async def show(request: Web, reader: NamedDependency[AgentReader], customer: FromPath[int]) -> Response[str]:
    """Show what a customer's last twelve months really cost, and what they would have cost under each template."""
    visit, found = visit_of(request), await Customer.find(customer, reader)
    year = last_year(today(visit.company.time_zone, visit.at))
    return await agent_page(
        request, reader, "agent/contracts/comparison.html", customer=found, year=year,
        comparisons=await compare(found.id, year),
    )  # fmt: skip


handlers: list[Any] = [show]
