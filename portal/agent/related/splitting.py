"""Serve the page on which an agent moves messages and time of a case to a new case."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk import Case, Details
from portal.desk.verbs.splitting import messages_to_split
from portal.errors import Conflict
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.timekeeping.moving.splitting import split, splittable
from portal.web.forms import Form
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


class Splitting(Struct, kw_only=True):
    """Form that splits a case: the subject of the new case, and the ids of the messages and time entries that move."""

    subject: str = ""
    message: list[int]
    entry: list[int]


@get("/cases/{number:str}/splitting")
async def show_splitting(request: Web, number: FromPath[str]) -> Response[str]:
    """Show the messages and time entries of a case, to choose which of them move to a new case.

    `?before=` is the cursor of older messages.
    """
    return await _splitting(request, number=number)


async def _splitting(
    request: Web,
    *,
    number: str,
    form: Form | None = None,
    typed: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
) -> Response[str]:
    reader: Any = visit_of(request).reader
    details = await Details.find(number, reader)
    messages, earlier = await messages_to_split(details.case, number_in(request.query_params.get("before")))
    ticked = {name: set(form.all(name)) if form else set() for name in ("message", "entry")}
    return await form_page(
        request, "agent/related/splitting.html", details=details, messages=messages, earlier=earlier,
        entries=await splittable(details.case, reader), ticked=ticked, typed=typed or {}, errors=errors,
    )  # fmt: skip


@post("/cases/{number:str}/splitting")
@on_refusal(_splitting, Conflict)
async def split_case(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Move the ticked messages and time entries to a new case, and redirect to the new case."""
    fields = form.into(Splitting)
    async with transaction(reader):
        case = await Case.find(number, reader)
        made = await split(case, set(fields.message), set(fields.entry), fields.subject, by=reader, at=at)
    return see_other(f"/agent/cases/{made.number}")


handlers: list[Any] = [show_splitting, split_case]
