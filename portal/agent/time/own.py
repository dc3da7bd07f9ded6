"""Serve the signed-in agent's own time entries by day, and the forms that submit them and undo a submission."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.pages import agent_page
from portal.agent.time.listing import Place, listing, submit_here
from portal.agent.toasts import address_after
from portal.database import transaction
from portal.people.readers import AgentReader
from portal.timekeeping import flags, lists
from portal.timekeeping.clock.forgotten import MOST, forgotten_by
from portal.timekeeping.states import Submission, take_back
from portal.web.form_pages import FORM_PAGE
from portal.web.forms import Form
from portal.web.notices import reads_notices
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, safe_path, visit_of

HERE = "/agent/time"


class Back(Struct, kw_only=True):
    """Form that undoes a submission. `back` is the URL path of the list to return to."""

    back: str = ""


@get("/time")
@reads_notices
async def own_time(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show one page of the agent's own time entries by day, with a tick box for each entry that can be submitted."""
    return await _own_time(request, reader=reader)


async def _own_time(
    request: Web, *, reader: AgentReader, outcome: Submission | None = None, **again: Any
) -> Response[str]:
    forgotten = await forgotten_by(reader, visit_of(request).at)
    return await agent_page(
        request, reader, "agent/time/list.html", counts=await lists.counts(reader.id),
        forgotten={one.day for one in forgotten}, more=len(forgotten) > MOST,
        questions=await flags.unanswered(reader.id),
        **await listing(request, reader, Place("agent", reader.id, HERE), outcome=outcome), **again,
    )  # fmt: skip


@post("/time/submission")
@on_refusal(_own_time)
async def submit_time(request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Submit the ticked time entries for approval, or all that match the filter, and redirect to the list.

    If some entries cannot be submitted, submit the others and show the page with the reason for each refused entry
    (S0.24 to S0.26, S1.12). Raise `Invalid` if no entry is chosen.
    """
    return await submit_here(request, form, _own_time, Place("agent", reader.id, HERE), reader=reader)


@post("/time/submissions/{submission:int}/withdrawal", opt={FORM_PAGE: HERE})
async def take_submission_back(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    submission: FromPath[int],
) -> Response[Any]:
    """Undo a submission, so that its entries can be changed and submitted again, and redirect to the list `back`.

    Entries on which a manager has decided are left as they are.
    """
    back = safe_path(form.into(Back).back)
    async with transaction(reader):
        outcome = await take_back(submission, by=reader, at=at)
    told = {"back": len(outcome.submitted), "kept": len(outcome.refused) or None}
    return see_other(address_after(back if back != "/" else HERE, told))


handlers: list[Any] = [own_time, submit_time, take_submission_back]
