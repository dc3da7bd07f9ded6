"""Serve the page with revenue and profit, and its CSV file. Only managers may open them."""

from datetime import datetime
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from portal.agent.earnings.rows import by_in, paged, query_of
from portal.agent.pages import agent_page
from portal.billing import By, by_currency, grouped
from portal.exports import write_csv
from portal.people.customers import CUSTOMERS
from portal.people.readers import AgentReader
from portal.periods import today
from portal.render.formats import reading
from portal.reports.earnings import earned, record_download, sheet
from portal.reports.questions import Question
from portal.reports.ranges import long_ranges_at
from portal.web.finding import asked
from portal.web.guards import manager_only
from portal.web.limits import exporting
from portal.web.pages import download
from portal.web.visit import Web, visit_of

PATH = "/agent/earnings"
OFFERED = (By.CUSTOMER, By.CONTRACT, By.SERVICE, By.SETTLEMENT, By.MONTH)


@get("/earnings", guards=[manager_only])
async def show(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show revenue, cost and profit of a range of days. `?by=` chooses how these figures are grouped (S3.27, S3.28).

    `?from=` and `?until=` are the first and the last day, by default the first of this month and today. `?customer=`
    limits the list to one customer.
    """
    visit, query = visit_of(request), request.query_params
    now = today(visit.company.time_zone, visit.at)
    customer, by, question = (
        await asked(request, "customer", CUSTOMERS),
        by_in(query, OFFERED),
        Question.read(query, now),
    )
    found = await earned(reader, question.since, question.until, customer=customer.id)
    kept = {"by": by.value, "customer": customer.id}
    days = {"from": question.since.isoformat(), "until": question.until.isoformat()}
    return await agent_page(
        request, reader, "agent/earnings/revenue.html", **paged(grouped(found, by), query, PATH, **kept, **days),
        sums=by_currency(found), by=by, offered=OFFERED, customer=customer, question=question, ranges=long_ranges_at(now),
        address=PATH + query_of(**kept) + "&", values=query_of(**kept, **days),
    )  # fmt: skip


@get("/earnings.csv", guards=[manager_only])
async def export(request: Web, reader: NamedDependency[AgentReader], at: NamedDependency[datetime]) -> Response[Any]:
    """Serve the rows of all pages as CSV, and record the download in the audit log."""
    company, query = visit_of(request).company, request.query_params
    async with exporting(request):
        customer, by = await asked(request, "customer", CUSTOMERS), by_in(query, OFFERED)
        question = Question.read(query, today(company.time_zone, at))
        found = await earned(reader, question.since, question.until, customer=customer.id)
        with reading(reader, None, at):
            content = write_csv(sheet(grouped(found, by)))
        await record_download(reader)
    name = f"earnings-{question.since.isoformat()}-{question.until.isoformat()}.csv"
    return download(content, name, media_type="text/csv")


handlers: list[Any] = [show, export]
