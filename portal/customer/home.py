"""Serve the first page of the portal."""

from datetime import datetime
from typing import Any

from litestar import get
from litestar.di import NamedDependency

from portal import first_steps
from portal.billing import Standing, latest, standings, unpaid_of
from portal.desk import overview
from portal.people.readers import AgentReader, ContactReader
from portal.periods import today
from portal.web import drafts
from portal.web.pages import page, see_other
from portal.web.visit import Web, visit_of


@get("/")
async def front(request: Web, reader: NamedDependency[Any], at: NamedDependency[datetime]) -> Any:
    """Show a contact's home page; redirect an agent to the list of cases.

    Until the first invoice is issued or an admin hides the first steps, redirect an admin to the first steps instead.
    """
    if isinstance(reader, AgentReader):
        begins = reader.is_admin and not await first_steps.are_over()
        return see_other("/agent/setup" if begins else "/agent/cases")
    return page(
        request, "customer/home/home.html", overview=await overview(reader, at), latest_invoices=await latest(reader),
        unpaid=await unpaid_of(reader.customer_id, reader), standings=await _standings(request, reader),
        unsent=await drafts.unsent_of_contact(reader), greeting=greeting(at.astimezone(reader.zone).hour),
    )  # fmt: skip


def greeting(hour: int) -> str:
    """Return the greeting for this hour (0 to 23) of the reader's local time."""
    if 5 <= hour < 12:
        return "Good morning"
    if 12 <= hour < 18:
        return "Good afternoon"
    return "Good evening" if hour >= 18 else "Hello"


async def _standings(request: Web, reader: ContactReader) -> list[Standing]:
    """Return what is used and left of each prepaid service of the customer.

    Return an empty list for a contact without the right to see hours, and while time tracking is off.
    """
    visit = visit_of(request)
    if not reader.sees_hours or not visit.rules.tracks_time:
        return []
    found = await standings(reader, reader.customer_id, today(visit.company.time_zone, visit.at))
    return [standing for standing in found if standing.is_prepaid]
