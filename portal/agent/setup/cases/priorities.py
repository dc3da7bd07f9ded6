"""Serve the set-up page of the four priorities: their names, and who may choose which (S3.19). Only admins may open it."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk.workflow.priorities import PriorityFacts, change, facts_of, listed
from portal.people.readers import AgentReader
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web

HERE = "/agent/setup/priorities"


@get("/setup/priorities", guards=[admin_only])
async def priorities(request: Web) -> Response[str]:
    """Show the form that changes the four priorities."""
    return await _priorities(request)


async def _priorities(request: Web, **again: Any) -> Response[str]:
    found = await listed()
    return await form_page(
        request, "agent/setup/priorities.html", facts=facts_of(found), priorities=found[::-1],
        names=[(one.id, one.name) for one in found[::-1]],
        toast={"words": "Priorities saved."} if "saved" in request.query_params else None, **again,
    )  # fmt: skip


@post("/setup/priorities", guards=[admin_only])
@on_refusal(_priorities)
async def change_priorities(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Save the four priorities, and redirect to the form. Cases keep their priority, and show its new name."""
    async with transaction(reader):
        await change(edited(form, PriorityFacts, facts_of(await listed(hold=True))))
    return see_other(f"{HERE}?saved=yes")


handlers: list[Any] = [priorities, change_priorities]
