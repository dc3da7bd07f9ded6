"""Serve the page on which a manager decides on all undecided time entries that match a filter, in one step."""

from typing import Any

from litestar import Response, get

from portal.agent.approvals.page import PATH, query_of, read_filters
from portal.agent.pages import agent_page
from portal.billing import ODD, list_matching
from portal.people.departments import Department
from portal.web.guards import manager_only
from portal.web.visit import Web, visit_of


@get("/approvals/everything", guards=[manager_only])
async def everything(request: Web) -> Response[str]:
    """Show how much time matches the filters, by agent, and how many entries have a warning.

    Entries with a warning are left out of the decision, unless the URL has `?odd=yes` or its filter `only` selects
    entries with a warning.
    """
    return await show_everything(request)


async def show_everything(
    request: Web, *, errors: dict[str, str] | None = None, typed: dict[str, str] | None = None
) -> Response[str]:
    """Return the page that sums up all time that matches the filters. `errors` and `typed` belong to a refused form."""
    visit = visit_of(request)
    reader: Any = visit.reader
    found, filters = await read_filters(request)
    with_odd = request.query_params.get("odd") == "yes" or filters.only not in ("", "clean")
    matching = await list_matching(reader, filters, at=visit.at, with_odd=with_odd)
    return await agent_page(
        request, reader, "agent/approvals/everything.html", matching=matching, found=found, filters=filters,
        departments=dict(await Department.choices()), titles=ODD, with_odd=with_odd, errors=errors or {}, typed=typed or {},
        query=query_of(request), back=PATH + query_of(request, odd="", after=""),
        odd_too=f"{PATH}/everything{query_of(request, odd='' if with_odd else 'yes')}",
        each_odd={code: PATH + query_of(request, only=code, odd="") for code in matching.odd},
    )  # fmt: skip


handlers: list[Any] = [everything]
