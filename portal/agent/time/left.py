"""Let a manager submit the time entries that agents who have left did not submit.

Another manager then approves or rejects these entries like any others.
"""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from portal.agent.pages import agent_page
from portal.agent.time.listing import Place, listing, submit_here
from portal.people.readers import AgentReader
from portal.timekeeping.states import Submission
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.pages import on_refusal
from portal.web.visit import Web

HERE = "/agent/time/left"


@get("/time/left", guards=[manager_only])
async def left_time(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show one page of the draft and rejected time entries of agents who have left."""
    return await _left_time(request, reader=reader)


async def _left_time(
    request: Web, *, reader: AgentReader, outcome: Submission | None = None, **again: Any
) -> Response[str]:
    return await agent_page(
        request, reader, "agent/time/left.html",
        **await listing(request, reader, Place("left", reader.id, HERE), outcome=outcome), **again,
    )  # fmt: skip


@post("/time/left/submission", guards=[manager_only])
@on_refusal(_left_time)
async def submit_left_time(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form]
) -> Response[Any]:
    """Submit the ticked time entries, or all that match the filter, on behalf of their authors.

    If some entries cannot be submitted, submit the others and show the page with the reason for each refused entry.
    Raise `Invalid` if no entry is chosen.
    """
    return await submit_here(request, form, _left_time, Place("left", reader.id, HERE), reader=reader)


handlers: list[Any] = [left_time, submit_left_time]
