"""List, filter and submit time entries on the page of their agent, case, appointment, service, project or task."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from litestar import Response
from msgspec import Struct, field

from portal.agent.toasts import told_of
from portal.billing import list_entries
from portal.database import transaction
from portal.errors import Conflict, Invalid
from portal.people.agents import AGENTS
from portal.people.readers import AgentReader
from portal.timekeeping.filters import Filter, Scope
from portal.timekeeping.states import Submission, submit, submit_all
from portal.web.finding import asked
from portal.web.forms import Form
from portal.web.pages import see_other
from portal.web.visit import Web, visit_of
from portal.words import EntryBilling, EntryState

Show = Callable[..., Awaitable[Response[str]]]
NOTHING_TICKED = "Tick the entries that you want to submit."


class Chosen(Struct, kw_only=True):
    """Form that submits time entries: the ticked entries, whose ids are in `entry`, or all that match the filter.

    If `newest` is None, the ticked entries are submitted. The button "submit all" sends `newest`, the highest entry id
    when the list was shown, so that entries that were added later are not submitted unseen.
    """

    entry: list[int] = field(default_factory=list)
    newest: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A page with a list of time entries: the filter of the list, as `scope` and `id`, and the URL path of the page."""

    scope: Scope
    id: int
    path: str

    def link(self, query: str) -> str:
        """Return the URL of the list with this query string.

        On the page of a service or project, the list is only a part of the page, so the URL ends with `#time`.
        """
        return f"{self.path}{query}{'#time' if self.scope in ('service', 'project') else ''}"


async def listing(
    request: Web, reader: AgentReader, place: Place, *, outcome: Submission | None = None
) -> dict[str, Any]:
    """Return the variables of the template `agent/time/_list.html`: one page of entries, and its filter.

    `outcome` is the result of submitting entries; None if none were submitted.
    """
    which, agent = await _filter(request, place)
    return {
        "place": place, "which": which, "entries": await list_entries(reader, which), "of_agent": agent, "outcome": outcome,
        "states": list(EntryState), "charges": list(EntryBilling),
    }  # fmt: skip


async def _filter(request: Web, place: Place) -> tuple[Filter, Any]:
    """Return the filter of the request's query string, and the result of its search field for agents."""
    agent = await asked(request, "agent", AGENTS)
    return replace(Filter.asked(place.scope, place.id, request.query_params), agent_id=agent.id), agent


async def submit_here(request: Web, form: Form, show: Show, place: Place, **values: Any) -> Response[Any]:
    """Submit the ticked time entries, or all that match the filter, and redirect to their list (S0.24, S1.12).

    If some entries cannot be submitted, submit the others, and return `show(request, outcome=..., **values)`, the page
    with the reason for each refused entry. Raise `Invalid` if no entry is chosen.
    """
    visit, chosen = visit_of(request), form.into(Chosen)
    reader: Any = visit.reader
    if not chosen.entry and chosen.newest is None:
        raise Invalid({"": NOTHING_TICKED})
    async with transaction(reader):
        which, _ = await _filter(request, place)
        outcome = (
            await submit(reader, chosen.entry, at=visit.at)
            if chosen.newest is None
            else await submit_all(reader, which, newest=chosen.newest, at=visit.at)
        )
    if not outcome.refused:
        return see_other(place.link(_after(which, outcome)))
    async with transaction(reader, readonly=True):
        response = await show(request, outcome=outcome, **values)
    response.status_code = 200 if outcome.submitted else Conflict.status
    return response


def _after(which: Filter, outcome: Submission) -> str:
    """Return the query string of the list after a submission.

    The query string filters by the state `submitted`, except in the list of time of agents who have left. It also has
    the counts for the message about the submission, and the id by which the submission can be undone.
    """
    state = None if which.scope == "left" else EntryState.SUBMITTED.value
    return which.leading(state=state, **told_of(outcome))
