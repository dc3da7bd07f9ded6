"""Serve the set-up pages on which admins rename, merge and delete tags. Only admins may open them."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk.tagging.tags import TAGS, Tag, TagName, listed
from portal.people.readers import AgentReader
from portal.web.edits import edited
from portal.web.finding import chosen, shown
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web

HERE = "/agent/setup/tags"


class Target(Struct, kw_only=True):
    """Form that merges a tag into another tag. `into` is the id of the other tag, `into_typed` the typed text."""

    into_typed: str = ""
    into: str = ""


@get("/setup/tags", guards=[admin_only])
async def tags(request: Web) -> Response[str]:
    """Show one page of all tags with the number of cases of each."""
    shown_tags, following = await listed(request.query_params.get("after", "").replace("\x00", ""))
    return await form_page(request, "agent/setup/tags.html", tags=shown_tags, following=following)


@get("/setup/tags/{tag:int}", guards=[admin_only])
async def tag(request: Web, tag: FromPath[int]) -> Response[str]:
    """Show the forms that rename, merge and delete a tag."""
    return await _tag(request, tag=tag)


async def _tag(request: Web, *, tag: int, typed: dict[str, Any] | None = None, **again: Any) -> Response[str]:
    found = await Tag.find(tag)
    return await form_page(
        request, "agent/setup/tag.html", facts=found.facts, tag=found, typed=typed,
        into=(await shown(typed, {"into": TAGS}))["into"], **again,
    )  # fmt: skip


@post("/setup/tags/{tag:int}", guards=[admin_only])
@on_refusal(_tag)
async def rename_tag(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], tag: FromPath[int]
) -> Response[Any]:
    """Rename a tag, also on the cases that have it, and redirect to the list of tags."""
    async with transaction(reader):
        found = await Tag.find(tag, hold=True)
        await found.rename(edited(form, TagName, found.facts))
    return see_other(HERE)


@post("/setup/tags/{tag:int}/merging", guards=[admin_only])
@on_refusal(_tag)
async def merge_tag(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], tag: FromPath[int]
) -> Response[Any]:
    """Merge a tag into another tag: give all cases with this tag the other tag instead, and delete this tag.

    Redirect to the list of tags. Raise `Invalid` if no other tag is chosen.
    """
    form.into(Target)
    async with transaction(reader):
        into = (await chosen(form.typed, {"into": TAGS}))["into"]
        found = await Tag.find(tag, hold=True)
        await found.merge_into(await Tag.find(into or tag, hold=True))
    return see_other(HERE)


@post("/setup/tags/{tag:int}/deletion", guards=[admin_only])
async def delete_tag(reader: NamedDependency[AgentReader], tag: FromPath[int]) -> Response[Any]:
    """Delete a tag, remove it from its cases, and redirect to the list of tags."""
    async with transaction(reader):
        await (await Tag.find(tag, hold=True)).discard()
    return see_other(HERE)


handlers: list[Any] = [tags, tag, rename_tag, merge_tag, delete_tag]
