"""Serve the list of projects with what their time costs us, against their budgets, for managers."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from portal.agent.pages import agent_page
from portal.billing import charged_on_projects
from portal.numbers import number_in
from portal.people.customers import CUSTOMERS
from portal.people.readers import AgentReader
from portal.reports.project_costs import costs_of_projects
from portal.timekeeping.projects import list_projects
from portal.web.finding import asked
from portal.web.guards import manager_only
from portal.web.visit import Web
from portal.words import ProjectState


@get("/projects/costs", guards=[manager_only])
async def show(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show one page of projects with cost, charge and budget (S2.6). `?state=` and `?customer=` are as in the list."""
    query = request.query_params
    asked_for = query.get("state", ProjectState.OPEN.value)
    state = ProjectState(asked_for) if asked_for in list(ProjectState) else None
    customer = await asked(request, "customer", CUSTOMERS)
    projects, following = await list_projects(state=state, customer_id=customer.id, after=number_in(query.get("after")))
    ids = [project.id for project in projects]
    return await agent_page(
        request, reader, "agent/projects/costs.html", projects=projects, following=following, state=state, states=list(ProjectState),
        customer=customer, costs=await costs_of_projects(reader, ids), charged=await charged_on_projects(ids),
    )  # fmt: skip


handlers: list[Any] = [show]
