"""Serve the set-up pages for the statuses of cases (S3.18). Only admins may open them."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk import Status
from portal.desk.deadlines import recounting
from portal.desk.workflow.follow_ups import FollowUpFacts, FollowUpRule
from portal.desk.workflow.statuses import CaseStatus, NewStatus, StatusFacts
from portal.people.readers import AgentReader
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web

HERE = "/agent/setup/workflow"


class Place(Struct, kw_only=True):
    """Form that moves the status with the id `status` to the place directly above the status with the id `above`."""

    status: int
    above: int


@get("/setup/workflow", guards=[admin_only])
async def workflow(request: Web) -> Response[str]:
    """Show the statuses by category, and the form that adds a status."""
    return await _workflow(request)


async def _workflow(request: Web, **again: Any) -> Response[str]:
    listed = await CaseStatus.listed()
    groups = [(status, [one for one in listed if one.category == status]) for status in Status]
    return await form_page(
        request, "agent/setup/workflow.html", groups=groups, names={one.id: one.name for one in listed},
        categories=[(status.value, status.word) for status in Status], recount=await recounting.latest(),
        reopen_days=(await FollowUpRule.facts()).reopen_days, **again,
    )  # fmt: skip


@post("/setup/workflow", guards=[admin_only])
@on_refusal(_workflow)
async def add_status(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Create a status as the last of its category, and redirect to the statuses."""
    async with transaction(reader):
        await CaseStatus.create(form.into(NewStatus))
    return see_other(HERE)


@get("/setup/workflow/follow-ups", guards=[admin_only])
async def follow_ups(request: Web) -> Response[str]:
    """Show the form that sets for how many days a contact's reply reopens a resolved or closed case."""
    return await _follow_ups(request)


async def _follow_ups(request: Web, **again: Any) -> Response[str]:
    return await form_page(request, "agent/setup/follow_ups.html", facts=await FollowUpRule.facts(), **again)


@post("/setup/workflow/follow-ups", guards=[admin_only])
@on_refusal(_follow_ups)
async def change_follow_ups(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Save for how many days a contact's reply reopens a resolved or closed case, and redirect to the statuses."""
    async with transaction(reader):
        await FollowUpRule.change(edited(form, FollowUpFacts, await FollowUpRule.facts()))
    return see_other(HERE)


@get("/setup/workflow/{status:int}", guards=[admin_only])
async def status(request: Web, status: FromPath[int]) -> Response[str]:
    """Show the form that changes a status."""
    return await _status(request, status=status)


async def _status(
    request: Web, *, status: int, form: Form | None = None, typed: dict[str, Any] | None = None, **again: Any
) -> Response[str]:
    found = await CaseStatus.find(status)
    facts = await found.facts()
    merged = typed.get("next") if typed else None
    ticked = merged if isinstance(merged, list) else form.all("next") if form else facts.next
    following = [(one.id, one.name) for one in await CaseStatus.listed() if one.may_follow(found)]
    return await form_page(
        request, "agent/setup/status.html", facts=facts, case_status=found, following=following, ticked=ticked, typed=typed,
        **again,
    )  # fmt: skip


@post("/setup/workflow/{status:int}", guards=[admin_only])
@on_refusal(_status)
async def change_status(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], status: FromPath[int]
) -> Response[Any]:
    """Save a changed status, and redirect to the statuses.

    The form sets the names of the status, the statuses that may follow it, whether the status pauses the clock of a
    case, and after how many days an unanswered case in this status is closed.
    """
    async with transaction(reader):
        found = await CaseStatus.find(status, hold=True)
        await found.change(edited(form, StatusFacts, await found.facts()))
    return see_other(HERE)


@post("/setup/workflow/order", guards=[admin_only])
async def move_status(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Move a status above another status of its category, and redirect to the statuses."""
    place = form.into(Place)
    async with transaction(reader):
        await (await CaseStatus.find(place.status)).move_above(place.above)
    return see_other(HERE)


@post("/setup/workflow/{status:int}/ending", guards=[admin_only])
async def end_status(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], status: FromPath[int]
) -> Response[Any]:
    """End a status, so that it is no longer offered, and redirect to the statuses. Cases in this status stay in it."""
    async with transaction(reader):
        await (await CaseStatus.find(status)).end(at)
    return see_other(HERE)


@post("/setup/workflow/{status:int}/resumption", guards=[admin_only])
async def resume_status(reader: NamedDependency[AgentReader], status: FromPath[int]) -> Response[Any]:
    """Resume an ended status, so that it is offered again, and redirect to the statuses."""
    async with transaction(reader):
        await (await CaseStatus.find(status)).resume()
    return see_other(HERE)


handlers: list[Any] = [
    workflow,
    add_status,
    follow_ups,
    change_follow_ups,
    status,
    change_status,
    move_status,
    end_status,
    resume_status,
]
