"""Render pages of the agents' area, with the navigation and the counts in the navigation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Response

from portal.agent.toasts import toast_of, toast_of_reply
from portal.billing import counts_shown
from portal.desk.lists.own_views import Named, named, naming
from portal.people.readers import AgentReader
from portal.reports.files import Export
from portal.timekeeping.clock.lines import timers_of
from portal.timekeeping.rules import latest_work_date
from portal.web.pages import page
from portal.web.visit import Web, visit_of


@dataclass(frozen=True, slots=True)
class Rail:
    """The counts in the agents' navigation, and the saved views.

    `views` maps the name of each view to its number of cases. `time` counts the reader's own time entries that need
    work: rejected entries, flagged entries, and drafts from before this week. `approvals` counts the entries that wait
    for approval; `approvals` is None for agents who approve no time. `files` counts the files of timesheets that are
    ready for the reader. `own` are the saved views of the reader, and the saved views that colleagues share.
    """

    views: Mapping[str, int]
    time: int = 0
    approvals: int | None = None
    files: int = 0
    own: Sequence[Named] = ()


async def rail(reader: AgentReader, at: datetime) -> Rail:
    """Return the counts and saved views in the navigation of this agent, read with one query."""
    also = {"own": naming(reader)} | ({"files": Export.counting_waiting(reader)} if reader.is_manager else {})
    views = await counts_shown(reader, at, also)
    own = named(views.pop("own"))
    return Rail(views, views.pop("time"), views.pop("approvals", None), views.pop("files", 0), own)


async def frame(reader: AgentReader, at: datetime) -> dict[str, Any]:
    """Return what the layout of each page shows at the instant `at`: the navigation's `rail` and the reader's `timers`."""
    return {"rail": await rail(reader, at), "timers": await timers_of(reader)}


async def agent_page(
    request: Web, reader: AgentReader, template: str, *, status: int = 200, **context: Any
) -> Response[str]:
    """Return a whole page of the agents' area: the template with the variables `context`, with this HTTP status.

    The template also gets these variables: `rail` has the counts of the navigation, and `timers` the reader's timers.
    `last_day` is the latest day for which time may be logged. `toast` is the message in `context` or, after a redirect
    to this page, the message about a change of time entries or about a reply.
    """
    visit = visit_of(request)
    told, here = request.query_params, f"{request.url.path}?{request.url.query}"
    context["toast"] = context.get("toast") or toast_of(told, here) or toast_of_reply(told, here)
    last_day = latest_work_date(visit.at, reader.time_zone, visit.company.time_zone)
    context["rail"] = context.get("rail") or await rail(reader, visit.at)
    if "timers" not in context:
        context["timers"] = await timers_of(reader)
    return page(request, template, status=status, last_day=last_day, **context)
