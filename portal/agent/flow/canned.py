"""Serve the pages on which agents write canned replies, and the canned replies that the page of a case offers."""

from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.flow.places import place_of
from portal.agent.pages import agent_page
from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk import Details, case_types
from portal.desk.replies import canned
from portal.desk.replies.canned import CannedFacts, CannedReply
from portal.numbers import number_in
from portal.people.departments import Department
from portal.people.offered import choices
from portal.people.readers import AgentReader
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.pages import on_refusal, page, see_other
from portal.web.visit import Web, visit_of, wants_fragment

HERE = "/agent/canned-replies"


async def _choices() -> dict[str, Any]:
    """Return the template variables of a canned reply's form: departments, case types and placeholders."""
    return {
        "departments": await Department.choices(), "types": choices(await case_types()),
        "placeholders": canned.PLACEHOLDERS,
    }  # fmt: skip


@get("/canned-replies")
async def canned_replies(request: Web) -> Response[str]:
    """Show one page of the canned replies that the reader may use, and the form for a new canned reply.

    `?find=` searches the names and texts of the canned replies.
    """
    return await _canned_replies(request)


async def _canned_replies(request: Web, **again: Any) -> Response[str]:
    reader: Any = visit_of(request).reader
    search = _searched(request)
    replies = await CannedReply.listed(reader, search, number_in(request.query_params.get("page")))
    pages = replies.links(f"{HERE}?{urlencode({'find': search})}&page=")
    return await form_page(
        request, "agent/canned/list.html", replies=replies, pages=pages, search=search, **await _choices(), **again
    )


def _searched(request: Web) -> str:
    """Return the text `?find=` by which canned replies are searched, without NULs and at most 100 characters long."""
    return request.query_params.get("find", "").replace("\x00", "")[:100]


@post("/canned-replies")
@on_refusal(_canned_replies)
async def add_canned_reply(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Create a canned reply and redirect to the list of canned replies."""
    async with transaction(reader):
        await CannedReply.create(form.into(CannedFacts), reader)
    return see_other(HERE)


@get("/canned-replies/{canned:int}")
async def canned_reply(request: Web, canned: FromPath[int]) -> Response[str]:
    """Show the form that changes a canned reply.

    Raise `Forbidden` if the canned reply is for all agents and the reader is not a manager.
    """
    return await _canned_reply(request, canned=canned)


async def _canned_reply(request: Web, *, canned: int, **again: Any) -> Response[str]:
    reader: Any = visit_of(request).reader
    found = await CannedReply.find(canned, reader)
    found.refuse_change(reader)
    return await form_page(
        request, "agent/canned/reply.html", facts=found.facts, reply=found, **await _choices(), **again
    )


@post("/canned-replies/{canned:int}")
@on_refusal(_canned_reply)
async def change_canned_reply(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], canned: FromPath[int]
) -> Response[Any]:
    """Save a changed canned reply and redirect to the list of canned replies."""
    async with transaction(reader):
        found = await CannedReply.find(canned, reader, hold=True)
        await found.change(edited(form, CannedFacts, found.facts), reader)
    return see_other(HERE)


@post("/canned-replies/{canned:int}/removal")
async def delete_canned_reply(reader: NamedDependency[AgentReader], canned: FromPath[int]) -> Response[Any]:
    """Delete a canned reply and redirect to the list of canned replies."""
    async with transaction(reader):
        await (await CannedReply.find(canned, reader, hold=True)).discard(reader)
    return see_other(HERE)


@get("/cases/{number:str}/canned-replies")
async def offer_canned_replies(
    request: Web, reader: NamedDependency[AgentReader], number: FromPath[str]
) -> Response[Any]:
    """Show the canned replies for a case, with the placeholders filled in.

    For htmx, return a fragment with the options of a list; otherwise, return a page with a link for each canned reply.
    `?find=` searches the names and texts of the canned replies.
    """
    details, search = await Details.find(number, reader), _searched(request)
    company = visit_of(request).company.name
    offered, more = await canned.offered(details, reader, company, search=search)
    found: dict[str, Any] = {"offered": offered, "more": more, "search": search, "details": details}
    if wants_fragment(request):
        return page(request, "shared/canned_options.html", **found)
    return await agent_page(
        request,
        reader,
        "agent/canned/choose.html",
        back=place_of(request, number),
        asks=[pair for pair in request.query_params.multi_items() if pair[0] != "find"],
        **found,
    )


handlers: list[Any] = [
    canned_replies, add_canned_reply, canned_reply, change_canned_reply, delete_canned_reply, offer_canned_replies,
]  # fmt: skip
