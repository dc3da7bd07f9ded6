"""Serve the page on which agents link a case with other cases and remove links."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk import Case, Details
from portal.desk.lists.questions import quoted_number
from portal.desk.verbs.linking import link, unlink
from portal.errors import Conflict, Invalid, NotFound
from portal.people.readers import AgentReader
from portal.web.forms import Form
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


class NewLink(Struct, kw_only=True):
    """Form that links a case with another case.

    `number` is the number of the other case, if it was chosen in the search field; otherwise `number_typed` is the text
    in that field, such as `#1042`.
    """

    number: str = ""
    number_typed: str = ""


@get("/cases/{number:str}/links")
async def show_links(request: Web, number: FromPath[str]) -> Response[str]:
    """Show the cases that are linked with a case, and the form that adds a link."""
    return await _links(request, number=number)


async def _links(
    request: Web, *, number: str, typed: dict[str, Any] | None = None, errors: dict[str, str] | None = None
) -> Response[str]:
    reader: Any = visit_of(request).reader
    details = await Details.find(number, reader)
    return await form_page(
        request, "agent/related/links.html", details=details, typed=typed or {}, errors=errors,
    )  # fmt: skip


@post("/cases/{number:str}/links")
@on_refusal(_links, Conflict)
async def add_link(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Link the case with the case that was chosen or whose number was typed, and redirect to the links."""
    async with transaction(reader):
        case = await Case.find(number, reader)
        sent = form.into(NewLink)
        await link(case, await _typed(sent.number or sent.number_typed, reader), by=reader, at=at)
    return see_other(f"/agent/cases/{case.number}/links")


async def _typed(text: str, reader: AgentReader) -> Case:
    """Return the case whose number was typed. Raise `Invalid` at the field `number` if `text` names no case."""
    number = quoted_number(text.strip())
    if number is None:
        raise Invalid({"number": "Choose a case from the list, or type its number, such as #1042."})
    try:
        return await Case.find(number, reader)
    except NotFound:
        raise Invalid({"number": f"There is no case #{number}."}) from None


@post("/cases/{number:str}/links/{other:int}/removal")
@on_refusal(_links, Conflict)
async def remove_link(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], number: FromPath[str], other: FromPath[int]
) -> Response[Any]:
    """Remove the link between two cases, and redirect to the links."""
    async with transaction(reader):
        case = await Case.find(number, reader)
        await unlink(case, await Case.find(other, reader), by=reader, at=at)
    return see_other(f"/agent/cases/{case.number}/links")


handlers: list[Any] = [show_links, add_link, remove_link]
