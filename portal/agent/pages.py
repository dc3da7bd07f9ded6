"""Render pages of the agents' area with the navigation rail and its counts."""

from typing import Any

from litestar import Response

from portal.billing import waiting_count
from portal.desk import counts
from portal.people.readers import AgentReader
from portal.timekeeping.rules import latest_work_date
from portal.web.pages import page
from portal.web.visit import Web, visit_of


async def rail(reader: AgentReader) -> dict[str, int]:
    """Return the counts of the navigation rail by view name. Managers also get the number of waiting approvals."""
    return await counts(reader) | ({"approvals": await waiting_count(reader)} if reader.is_manager else {})


async def agent_page(
    request: Web, reader: AgentReader, template: str, *, status: int = 200, **context: Any
) -> Response[str]:
    """Return a whole page of the agents' area.

    The template also gets `rail`, the counts of the navigation, and `last_day`, the latest day for which time may be
    logged.
    """
    visit = visit_of(request)
    last_day = latest_work_date(visit.at, reader.time_zone, visit.company.time_zone)
    context["rail"] = context.get("rail") or await rail(reader)
    return page(request, template, status=status, last_day=last_day, **context)
