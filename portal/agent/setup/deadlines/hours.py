"""Serve the form for the business hours."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from portal import regions
from portal.agent.setup.deadlines.show import HERE
from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk.deadlines import recounting
from portal.desk.deadlines.calendars import HoursFacts, business_hours, facts_of, save_hours
from portal.desk.deadlines.holidays import offered_countries
from portal.people.readers import AgentReader
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web


@get("/setup/deadlines/hours", guards=[admin_only])
async def hours(request: Web) -> Response[str]:
    """Show the form with the business hours."""
    return await _hours(request)


async def _hours(request: Web, **again: Any) -> Response[str]:
    return await form_page(
        request, "agent/deadlines/hours.html", facts=facts_of(await business_hours()), zones=regions.zones(),
        countries=list(offered_countries().items()), **again,
    )  # fmt: skip


@post("/setup/deadlines/hours", guards=[admin_only])
@on_refusal(_hours)
async def save(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Save the business hours, and redirect to the page of deadlines.

    A job computes the deadlines of open cases again (D49).
    """
    async with transaction(reader):
        await recounting.begin()
        await save_hours(edited(form, HoursFacts, facts_of(await business_hours())))
    return see_other(HERE)


handlers: list[Any] = [hours, save]
