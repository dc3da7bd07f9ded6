"""Serve the list of projects with the cost of the time beside the budget. Only managers may open it."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from portal.agent.pages import agent_page
from portal.agent.projects import listed
from portal.billing import charged_on_projects
from portal.people.readers import AgentReader
from portal.reports.project_costs import costs_of_projects
from portal.web.guards import manager_only
from portal.web.visit import Web


@get("/projects/costs", guards=[manager_only])
async def show(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show one page of projects, each with the cost of its time, the amount charged, and the budget (S2.6).

    `?state=` and `?customer=` filter the list by state and by customer, in the same way as the list of projects
    (`portal.agent.projects.list_all`).
    """
    shown = await listed(request, "/agent/projects/costs")
    ids = [project.id for project in shown["projects"]]
    costs, charged = await costs_of_projects(reader, ids), await charged_on_projects(ids)
    return await agent_page(request, reader, "agent/projects/costs.html", **shown, costs=costs, charged=charged)


handlers: list[Any] = [show]
