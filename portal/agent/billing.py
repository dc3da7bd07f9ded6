"""Serve the billing pages: preview a billing run up to a date, execute it, and show earlier runs."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.pages import agent_page
from portal.billing import (
    PATIENCE,
    SKIPPED,
    Ending,
    begin_run,
    find_run,
    go_on_with_run,
    past_runs,
    preview_run,
    until_days,
)
from portal.database import transaction
from portal.errors import Invalid, Unavailable
from portal.people.readers import AgentReader
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.pages import on_refusal, page, see_other, turned
from portal.web.visit import Web, visit_of, wants_fragment


class RunForm(Struct, kw_only=True):
    """Form that starts a billing run: the date up to which time is billed, and the ids of the ticked customers.

    If `all` is "yes", the run bills all customers on all pages of the preview, ticked or not.
    """

    until: str
    customer: list[int]
    all: str = ""


@get("/billing", guards=[manager_only])
async def show(request: Web, at: NamedDependency[datetime]) -> Response[str]:
    """Show what a billing run up to the date `?until=` would bill and what it would skip, and earlier runs.

    The preview has two lists, whose page numbers are the query parameters `documents` and `skipped`. The sums cover all
    pages of these lists. `runs` is the paging cursor of the earlier runs. If the date is refused, show the error
    message and the preview up to the default date.
    """
    try:
        return await _show(request, until=request.query_params.get("until", ""))
    except Invalid as refusal:
        response = await _show(request, errors=refusal.fields, typed={"until": request.query_params.get("until", "")})
        response.status_code = refusal.status
        return response


async def _show(
    request: Web,
    *,
    until: str = "",
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
) -> Response[str]:
    visit: Any = visit_of(request)
    days = await until_days(visit.at)
    preview = await preview_run(days.parse(until))
    return await agent_page(
        request, visit.reader, "agent/billing/show.html", errors=errors or {}, typed=typed or {}, preview=preview,
        offered=days.offered, latest=days.latest, skipped=SKIPPED,
        runs=await past_runs(request.query_params.get("runs", "")), turned="runs" in request.query_params,
        nothing="nothing" in request.query_params,
    )  # fmt: skip


@post("/billing/runs", guards=[manager_only])
@on_refusal(_show)
async def make_run(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Execute a billing run: create the draft invoices and statements of the ticked customers, or of all customers.

    Redirect to the page of the run, or back to the preview if there was nothing to bill. If the run takes longer than a
    few seconds, or if another transaction has locked a customer, a job continues the run after the response.
    """
    fields = form.into(RunForm)
    async with transaction(reader):
        until = (await until_days(at)).parse(fields.until)
        run_id = await begin_run(until, None if fields.all == "yes" else fields.customer, by=reader, at=at)
    try:
        ending = await go_on_with_run(run_id, by=reader, at=at, reader=reader, within=PATIENCE)
    except Unavailable:  # Another transaction has locked a customer: the job continues the run.
        ending = Ending.UNDER_WAY
    if ending is Ending.NOTHING:
        return see_other(f"/agent/billing?until={until.isoformat()}&nothing=yes")
    return see_other(f"/agent/billing/runs/{run_id}")


@get("/billing/runs/{run_id:int}", guards=[manager_only])
async def show_run(request: Web, reader: NamedDependency[AgentReader], run_id: FromPath[int]) -> Response[str]:
    """Show the documents that a billing run created, what it skipped and why, and, while it is under way, its progress.

    The query parameters `documents`, `refused` and `skipped` are the paging cursors of the three lists; the list
    `refused` has what could not be billed or issued. A refresh by htmx gets only the part of the page that changes
    while the run is under way.
    """
    after = turned(request, "documents", "refused", "skipped")
    found: dict[str, Any] = {"run": await find_run(run_id, reader, after), "skipped": SKIPPED, "after": after}
    if wants_fragment(request):
        return page(request, "agent/billing/_run.html", **found)
    return await agent_page(request, reader, "agent/billing/run.html", **found)


handlers: list[Any] = [show, make_run, show_run]
