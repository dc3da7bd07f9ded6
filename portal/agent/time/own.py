"""Serve an agent's own time entries: the list by day, and the form that submits entries."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from portal.agent.pages import agent_page
from portal.agent.time.form import Chosen, state_of
from portal.billing import list_entries
from portal.database import transaction
from portal.errors import Conflict, Invalid
from portal.people.readers import AgentReader
from portal.timekeeping import lists
from portal.timekeeping.states import Submission, submit
from portal.web.forms import Form
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of
from portal.words import EntryState


@get("/time")
async def own_time(request: Web) -> Response[str]:
    """Show one page of the agent's own time entries, grouped by day, with a tick box for each that can be submitted."""
    return await _own_time(request)


async def _own_time(
    request: Web,
    *,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    outcome: Submission | None = None,
) -> Response[str]:
    visit, query = visit_of(request), request.query_params
    reader: Any = visit.reader
    which = lists.Filter(
        "agent", reader.id, state=state_of(query.get("state")), after=lists.key(query.get("after", ""))
    )
    entries = await list_entries(reader, which)
    return await agent_page(
        request, reader, "agent/time/list.html", status=Conflict.status if outcome and not outcome.submitted else 200,
        which=which, entries=entries, counts=await lists.counts(reader, reader.id), states=list(EntryState), outcome=outcome,
        errors=errors or {}, typed=typed or {},
    )  # fmt: skip


@post("/time/submission")
@on_refusal(_own_time)
async def submit_time(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
) -> Response[Any]:
    """Submit the ticked time entries for approval (S0.24 to S0.26).

    If some entries cannot be submitted, submit the others and show the page with the reason for each refused entry.
    """
    chosen = form.into(Chosen).entry
    if not chosen:
        raise Invalid({"": "Tick the entries that you want to submit."})
    async with transaction(reader):
        outcome = await submit(reader, chosen, at=at)
    if not outcome.refused:
        return see_other("/agent/time?state=submitted")
    async with transaction(reader, readonly=True):
        return await _own_time(request, outcome=outcome)


handlers: list[Any] = [own_time, submit_time]
