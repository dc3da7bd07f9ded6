"""Serve the first page of the portal."""

from datetime import datetime
from typing import Any

from litestar import get
from litestar.di import NamedDependency

from portal.billing import latest
from portal.contracts.company import Company
from portal.desk import overview
from portal.people.readers import AgentReader
from portal.web.pages import page, see_other
from portal.web.visit import Web


@get("/")
async def front(request: Web, reader: NamedDependency[Any], at: NamedDependency[datetime]) -> Any:
    """Show a contact's home page. Redirect agents to the list of cases.

    As long as the company has not been set up, an admin is redirected to the set-up pages instead.
    """
    if isinstance(reader, AgentReader):
        begins = reader.is_admin and await Company.find() is None
        return see_other("/agent/setup" if begins else "/agent/cases")
    return page(
        request, "customer/home/home.html", overview=await overview(reader, at), latest_invoices=await latest(reader),
        hour=at.astimezone(reader.zone).hour,
    )  # fmt: skip
