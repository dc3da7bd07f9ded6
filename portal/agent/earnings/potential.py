"""Serve the page of the invoicing potential, which is the time that is not billed yet, and this page's CSV file."""

from datetime import datetime
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from portal.agent.earnings.rows import by_in, paged, query_of
from portal.agent.pages import agent_page
from portal.billing import By, by_currency, grouped, potential_of, potential_sheet, record_potential
from portal.exports import write_csv
from portal.people.customers import CUSTOMERS
from portal.people.readers import AgentReader
from portal.render.formats import reading
from portal.web.finding import asked
from portal.web.guards import manager_only
from portal.web.limits import exporting
from portal.web.pages import download
from portal.web.visit import Web

PATH = "/agent/potential"
OFFERED = (By.CUSTOMER, By.CONTRACT, By.SERVICE, By.SETTLEMENT)


@get("/potential")
async def show(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show the time that is on no document yet, grouped by customer, contract, service or settlement (S3.26).

    The settlement is how the time of a service is paid for. `?by=` chooses the grouping, and `?customer=` limits the
    list to one customer. Agents see hours; managers also see what the time is worth. If more than `PRICED` entries are
    held or not approved yet, the worth of these entries is left out, unless the URL has `?all=yes`.
    """
    query = request.query_params
    customer, by = await asked(request, "customer", CUSTOMERS), by_in(query, OFFERED)
    found = await potential_of(reader, customer=customer.id, everything=query.get("all") == "yes")
    values = {"by": by.value, "customer": customer.id, "all": query.get("all")}
    return await agent_page(
        request, reader, "agent/earnings/potential.html", **paged(grouped(found, by), query, PATH, **values),
        sums=by_currency(found), by=by, offered=OFFERED, customer=customer, address=PATH, values=query_of(**values),
        whole=PATH + query_of(**values | {"all": "yes"}),
    )  # fmt: skip


@get("/potential.csv", guards=[manager_only])
async def export(request: Web, reader: NamedDependency[AgentReader], at: NamedDependency[datetime]) -> Response[Any]:
    """Serve the rows of all pages as CSV, priced as with `?all=yes`, and record the download in the audit log."""
    async with exporting(request):
        customer, by = await asked(request, "customer", CUSTOMERS), by_in(request.query_params, OFFERED)
        found = await potential_of(reader, customer=customer.id, everything=True)
        with reading(reader, None, at):
            content = write_csv(potential_sheet(grouped(found, by)))
        await record_potential(reader)
    return download(content, f"potential-{at.date().isoformat()}.csv", media_type="text/csv")


handlers: list[Any] = [show, export]
