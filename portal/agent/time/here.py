"""List and submit the time of one service or project on its page."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from litestar import Response

from portal.agent.time.form import Chosen, state_of
from portal.billing import list_entries
from portal.database import transaction
from portal.errors import Conflict, Invalid
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.timekeeping import lists
from portal.timekeeping.states import submit
from portal.web.forms import Form
from portal.web.pages import see_other
from portal.web.visit import Web, visit_of
from portal.words import EntryState

Show = Callable[..., Awaitable[Response[str]]]


async def time_here(request: Web, reader: AgentReader, scope: Literal["service", "project"], id: int) -> dict[str, Any]:
    """Return what `agent/time/_here.html` needs for the time of one service or project."""
    query = request.query_params
    which = lists.Filter(
        scope, id, state=state_of(query.get("state")), agent_id=number_in(query.get("agent")), after=lists.key(query.get("after", ""))
    )  # fmt: skip
    return {
        "which": which,
        "entries": await list_entries(reader, which),
        "states": list(EntryState),
    }


async def submit_here(request: Web, form: Form, show: Show, where: str, **values: Any) -> Response[Any]:
    """Submit the ticked entries and lead back to `where`; where some cannot be submitted, show the page with the reasons (S0.24)."""
    chosen = form.into(Chosen).entry
    if not chosen:
        raise Invalid({"": "Tick the entries that you want to submit."})
    reader: Any = visit_of(request).reader
    async with transaction(reader):
        outcome = await submit(reader, chosen, at=visit_of(request).at)
    if not outcome.refused:
        return see_other(f"{where}?state=submitted")
    async with transaction(reader, readonly=True):
        response = await show(request, outcome=outcome, **values)
    response.status_code = 200 if outcome.submitted else Conflict.status
    return response
