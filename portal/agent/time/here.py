"""List and submit the time entries of one service or project on the page of that service or project."""

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
    """Return the variables of the template `agent/time/_here.html`: one page of entries of a service or project."""
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
    """Submit the ticked time entries, then redirect to their list at the path `where` (S0.24).

    If some entries cannot be submitted, call `show` with `values` instead, which shows the page with the reason for
    each refused entry. Raise `Invalid` if no entry is ticked.
    """
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
