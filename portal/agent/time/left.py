"""Let a manager submit the time entries that agents who have ended never submitted.

Another manager then approves or rejects these entries like any others.
"""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from portal.agent.pages import agent_page
from portal.agent.time.form import Chosen
from portal.billing import list_entries
from portal.database import transaction
from portal.errors import Conflict, Invalid
from portal.people.readers import AgentReader
from portal.timekeeping import lists
from portal.timekeeping.states import Submission, submit
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of

HERE = "/agent/time/left"


@get("/time/left", guards=[manager_only])
async def left_time(request: Web) -> Response[str]:
    """Show one page of the draft and rejected time entries of agents who have ended."""
    return await _left_time(request)


async def _left_time(
    request: Web,
    *,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    outcome: Submission | None = None,
) -> Response[str]:
    reader: Any = visit_of(request).reader
    which = lists.Filter("left", reader.id, after=lists.key(request.query_params.get("after", "")))
    return await agent_page(
        request, reader, "agent/time/left.html", status=Conflict.status if outcome and not outcome.submitted else 200,
        entries=await list_entries(reader, which), outcome=outcome, errors=errors or {}, typed=typed or {},
    )  # fmt: skip


@post("/time/left/submission", guards=[manager_only])
@on_refusal(_left_time)
async def submit_left_time(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Submit the ticked time entries on behalf of their authors.

    If some entries cannot be submitted, submit the others and show the page with the reason for each refused entry.
    """
    chosen = form.into(Chosen).entry
    if not chosen:
        raise Invalid({"": "Tick the entries that you want to submit."})
    async with transaction(reader):
        outcome = await submit(reader, chosen, at=at)
    if not outcome.refused:
        return see_other(HERE)
    async with transaction(reader, readonly=True):
        return await _left_time(request, outcome=outcome)


handlers: list[Any] = [left_time, submit_left_time]
