"""Serve the set-up pages for kinds of general time (time worked for no customer). Only admins may open them."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.people.readers import AgentReader
from portal.timekeeping.kinds import GeneralKind, KindName
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web

HERE = "/agent/setup/general-kinds"


@get("/setup/general-kinds", guards=[admin_only])
async def general_kinds(request: Web) -> Response[str]:
    """Show all kinds of general time, and the form that adds a kind."""
    return await _general_kinds(request)


async def _general_kinds(request: Web, **again: Any) -> Response[str]:
    return await form_page(request, "agent/setup/general_kinds.html", kinds=await GeneralKind.listed(), **again)


@post("/setup/general-kinds", guards=[admin_only])
@on_refusal(_general_kinds)
async def add_general_kind(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Create a kind of general time and redirect to the list of kinds."""
    async with transaction(reader):
        await GeneralKind.create(form.into(KindName))
    return see_other(HERE)


@get("/setup/general-kinds/{kind:int}", guards=[admin_only])
async def general_kind(request: Web, kind: FromPath[int]) -> Response[str]:
    """Show the form that renames a kind of general time."""
    return await _general_kind(request, kind=kind)


async def _general_kind(request: Web, *, kind: int, **again: Any) -> Response[str]:
    found = await GeneralKind.find(kind)
    return await form_page(request, "agent/setup/general_kind.html", facts=found.facts, kind=found, **again)


@post("/setup/general-kinds/{kind:int}", guards=[admin_only])
@on_refusal(_general_kind)
async def rename_general_kind(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], kind: FromPath[int]
) -> Response[Any]:
    """Save the new name of a kind of general time and redirect to the list of kinds."""
    async with transaction(reader):
        found = await GeneralKind.find(kind, hold=True)
        await found.rename(edited(form, KindName, found.facts))
    return see_other(HERE)


@post("/setup/general-kinds/{kind:int}/ending", guards=[admin_only])
async def end_general_kind(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], kind: FromPath[int]
) -> Response[Any]:
    """End a kind of general time, so that it can no longer be chosen, and redirect to the list of kinds."""
    async with transaction(reader):
        await (await GeneralKind.find(kind)).end(at)
    return see_other(HERE)


@post("/setup/general-kinds/{kind:int}/resumption", guards=[admin_only])
async def resume_general_kind(reader: NamedDependency[AgentReader], kind: FromPath[int]) -> Response[Any]:
    """Resume an ended kind of general time, so that it can be chosen again, and redirect to the list of kinds."""
    async with transaction(reader):
        await (await GeneralKind.find(kind)).resume()
    return see_other(HERE)


handlers: list[Any] = [
    general_kinds, add_general_kind, general_kind, rename_general_kind, end_general_kind, resume_general_kind,
]  # fmt: skip
