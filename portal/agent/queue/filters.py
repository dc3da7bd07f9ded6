"""Serve the filters of the list of cases."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from portal.agent.pages import agent_page
from portal.desk import Due, Question
from portal.desk.lists.filters import filters_of
from portal.people.readers import AgentReader
from portal.web.finding import Found
from portal.web.pages import page
from portal.web.visit import Web, wants_fragment

DUES = [(due.value, due.word) for due in Due]
FINDERS = {"agent": Found(), "customer": Found(), "tag": Found()}
"""The search fields of the filters for agents, customers and tags. All of them are empty at first."""


@get("/cases/filters")
async def choose_filters(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show the filters of the list: as a fragment for htmx, otherwise on a page of their own."""
    question = Question.read(request.query_params.multi_items())
    shown: dict[str, Any] = {
        "question": question,
        "filters": await filters_of(question, reader),
        "dues": DUES,
        "found": FINDERS,
    }
    if wants_fragment(request):
        return page(request, "agent/cases/_picks.html", **shown)
    return await agent_page(request, reader, "agent/cases/filters.html", **shown)


handlers: list[Any] = [choose_filters]
