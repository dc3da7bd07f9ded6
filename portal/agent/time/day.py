"""Serve the page that shows one day of an agent's own time as a time line, with gaps and overlaps."""

from datetime import timedelta
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from portal.agent.pages import agent_page
from portal.people.readers import AgentReader
from portal.people.working.hours import WorkingHours
from portal.periods import day_in, today
from portal.timekeeping.calendar.days import day_of
from portal.web.visit import Web, visit_of


@get("/time/day")
async def show_day(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show the signed-in agent's entries of one day in order of time, with the gaps between the entries.

    `?on=` is the day, by default today.
    """
    present = today(reader.time_zone, visit_of(request).at)
    day = day_in(request.query_params.get("on", "")) or present
    targets = await WorkingHours.targets(reader.id, day, 1)
    return await agent_page(
        request, reader, "agent/time/day.html", shown=await day_of(reader, day, targets[day]), today=present,
        before=day - timedelta(days=1), after=day + timedelta(days=1),
    )  # fmt: skip


handlers: list[Any] = [show_day]
