"""What the pages and forms of the agents' area share: the counts in the rail, and what answers a conflict."""

from typing import Any

from litestar import Response

from portal.billing import waiting_count
from portal.desk import counts
from portal.people.readers import AgentReader
from portal.timekeeping.rules import latest_work_date
from portal.web.pages import page
from portal.web.visit import Web, visit_of


async def rail(reader: AgentReader) -> dict[str, int]:
    """The counts in the rail, by the names of its views: one query, and one for a manager's waiting approvals."""
    return await counts(reader) | ({"approvals": await waiting_count(reader)} if reader.is_manager else {})


async def agent_page(
    request: Web, reader: AgentReader, template: str, *, status: int = 200, **context: Any
) -> Response[str]:
    """A whole page of the agents' area. Its templates find `rail`, and `last_day`, up to which time may be logged."""
    visit = visit_of(request)
    last_day = latest_work_date(visit.at, reader.time_zone, visit.company.time_zone)
    context["rail"] = context.get("rail") or await rail(reader)
    return page(request, template, status=status, last_day=last_day, **context)
