"""Serve the set-up page for refused file name extensions, such as `.exe`. Only admins may open it."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk import EndingFacts, RefusedEnding
from portal.desk.files.filetypes import EXECUTABLE
from portal.people.readers import AgentReader
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web


@get("/setup/files", guards=[admin_only])
async def files(request: Web) -> Response[str]:
    """Show the file name extensions that uploads must not have, and the form that adds an extension."""
    return await _files(request)


async def _files(request: Web, **again: Any) -> Response[str]:
    return await form_page(
        request, "agent/setup/files.html", added=await RefusedEnding.all(), always=sorted(EXECUTABLE), **again
    )


@post("/setup/files", guards=[admin_only])
@on_refusal(_files)
async def refuse_ending(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Refuse uploads with the typed file name extension from now on, and redirect to the list of extensions."""
    async with transaction(reader):
        await RefusedEnding.refuse(form.into(EndingFacts))
    return see_other("/agent/setup/files")


@post("/setup/files/{ending:str}/removal", guards=[admin_only])
async def take_ending_again(reader: NamedDependency[AgentReader], ending: FromPath[str]) -> Response[Any]:
    """Stop refusing uploads with this file name extension, and redirect to the list of extensions."""
    async with transaction(reader):
        await RefusedEnding.take_again(ending)
    return see_other("/agent/setup/files")


handlers: list[Any] = [files, refuse_ending, take_ending_again]
