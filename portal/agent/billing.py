"""Serve the billing pages: preview a billing run up to a date, execute it, and show earlier runs."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.pages import agent_page
from portal.billing import SKIPPED, find_run, latest_until, offered, parse_until, past_runs, preview_run, run
from portal.database import transaction
from portal.errors import Invalid
from portal.people.readers import AgentReader
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


class RunForm(Struct, kw_only=True):
    """Form that starts a billing run: the date up to which time is billed, and the ids of the ticked customers."""

    until: str
    customer: list[int]


@get("/billing", guards=[manager_only])
async def show(request: Web, at: NamedDependency[datetime]) -> Response[str]:
    """Show what a billing run up to the date `?until=` would bill and what it would skip."""
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
    date = await parse_until(until, visit.at)
    return await agent_page(
        request, visit.reader, "agent/billing/show.html", errors=errors or {}, typed=typed or {}, preview=await preview_run(date),
        offered=await offered(visit.at), latest=await latest_until(visit.at), skipped=SKIPPED,
        runs=await past_runs(request.query_params.get("runs", "")), turned="runs" in request.query_params,
        nothing="nothing" in request.query_params,
    )  # fmt: skip


@post("/billing/runs", guards=[manager_only])
@on_refusal(_show)
async def make_run(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Execute a billing run: create the draft invoices and statements of the ticked customers.

    Redirect to the page of the run, or back to the preview if there was nothing to bill.
    """
    fields = form.into(RunForm)
    async with transaction(reader):
        made = await run(await parse_until(fields.until, at), fields.customer, by=reader, at=at)
    return see_other(f"/agent/billing/runs/{made.id}" if made else f"/agent/billing?until={fields.until}&nothing=yes")


@get("/billing/runs/{run_id:int}", guards=[manager_only])
async def show_run(request: Web, reader: NamedDependency[AgentReader], run_id: FromPath[int]) -> Response[str]:
    """Show which documents a billing run created, and which time it skipped and why; `?skipped=` is the cursor of these."""
    after = request.query_params.get("skipped", "")
    found = await find_run(run_id, reader, after)
    return await agent_page(request, reader, "agent/billing/run.html", run=found, skipped=SKIPPED, turned=after)


handlers: list[Any] = [show, make_run, show_run]
