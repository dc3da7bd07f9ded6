"""Serve the tags of a case."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk import Case, Details
from portal.desk.tagging.tags import Tag, add_tag, remove_tag
from portal.errors import Conflict
from portal.people.readers import AgentReader
from portal.web.forms import Form
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


class Tagging(Struct, kw_only=True):
    """Form that adds the tag with the typed name `tag_typed` to a case. The id in `tag` is ignored."""

    tag_typed: str = ""
    tag: str = ""


@get("/cases/{number:str}/tags")
async def tags_of_case(request: Web, number: FromPath[str]) -> Response[str]:
    """Show the tags of a case, each with a button that removes it, and the field that adds a tag."""
    return await _tags_of_case(request, number=number)


async def _tags_of_case(request: Web, *, number: str, **again: Any) -> Response[str]:
    reader: Any = visit_of(request).reader
    return await form_page(request, "agent/queue/case_tags.html", details=await Details.find(number, reader), **again)


@post("/cases/{number:str}/tags")
@on_refusal(_tags_of_case, Conflict)
async def tag_case(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Add the tag with the typed name to the case, and redirect to the case's tags. Create the tag if it is new."""
    async with transaction(reader):
        case = await Case.find(number, reader, itself=True)
        await add_tag(case, await Tag.named(form.into(Tagging).tag_typed, at), by=reader, at=at)
    return see_other(f"/agent/cases/{number}/tags")


@post("/cases/{number:str}/tags/{tag:int}/removal")
async def untag_case(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], number: FromPath[str], tag: FromPath[int]
) -> Response[Any]:
    """Remove a tag from the case, and redirect to the case's tags."""
    async with transaction(reader):
        await remove_tag(await Case.find(number, reader, itself=True), await Tag.find(tag), by=reader, at=at)
    return see_other(f"/agent/cases/{number}/tags")


handlers: list[Any] = [tags_of_case, tag_case, untag_case]
