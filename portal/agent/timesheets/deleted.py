"""Serve the list of deleted time entries with the history of each entry. Only managers may open the list."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from portal.agent.pages import agent_page
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.periods import today
from portal.reports.questions import Question
from portal.reports.ranges import ranges_at
from portal.timekeeping.deleted import list_deleted
from portal.web.guards import manager_only
from portal.web.visit import Web, visit_of


@get("/timesheets/deleted", guards=[manager_only])
async def show(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show the time entries that were deleted in a range of days, by default this month, latest first."""
    query, now = request.query_params, today(reader.time_zone, visit_of(request).at)
    question, before = Question.read(query, now), number_in(query.get("before"))
    return await agent_page(
        request, reader, "agent/timesheets/deleted.html", question=question, ranges=ranges_at(now), turned=before is not None,
        deleted=await list_deleted(reader, question.since, question.until, before=before),
    )  # fmt: skip


handlers: list[Any] = [show]
