"""Serve the page with figures about the work of agents. Only managers may open it."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from portal.agent.pages import agent_page
from portal.people.agents import AGENTS
from portal.people.departments import Department
from portal.people.readers import AgentReader
from portal.periods import today
from portal.reports.performance import all_of, work_of_agents
from portal.reports.questions import Question
from portal.reports.ranges import ranges_at
from portal.web.finding import asked
from portal.web.guards import manager_only
from portal.web.visit import Web, visit_of


@get("/performance", guards=[manager_only])
async def show(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show how much each agent worked in a range of days, and which share of that time is billable (S2.5).

    By default, the days are those of this month.
    """
    now = today(reader.time_zone, visit_of(request).at)
    agent, question = await asked(request, "agent", AGENTS), Question.read(request.query_params, now)
    agents = await work_of_agents(
        reader, question.since, question.until, department=question.department, agent=agent.id
    )
    return await agent_page(
        request, reader, "agent/performance/show.html", agents=agents, all=all_of(agents), question=question, agent=agent,
        departments=await Department.choices(), ranges=ranges_at(now),
    )  # fmt: skip


handlers: list[Any] = [show]
