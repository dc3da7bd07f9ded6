"""Serve the page of one case, the forms for a reply and a note, and the case's files."""

import uuid
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.pages import agent_page
from portal.billing import feed_with_time
from portal.database import transaction
from portal.desk import (
    SETTABLE,
    Attachment,
    Case,
    Details,
    Feed,
    Status,
    feed_of,
)
from portal.people.readers import AgentReader
from portal.storage import Storage
from portal.timekeeping.appointments import appointments_with_time
from portal.timekeeping.feed import CaseTime
from portal.web import drafts
from portal.web.forms import Form
from portal.web.notices import read_when_sent
from portal.web.pages import download, on_refusal, page, see_other
from portal.web.visit import Web, visit_of


class Writing(Struct, kw_only=True):
    """Composer of replies and notes: the form on the case page in which an agent writes.

    `kind` only keeps the selected tab; the button's URL decides what is written. `then` is `wait` if the reply also
    sets the status to waiting for the customer.
    """

    kind: str = ""
    body: str = ""
    then: str = ""
    form_key: str = ""


@get("/cases/{number:str}")
async def show(request: Web, number: FromPath[str]) -> Response[str]:
    """Show a case with its feed and forms. With `?before=` the feed shows older entries."""
    return await show_case(request, number=number)


async def show_case(
    request: Web,
    *,
    number: str,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
) -> Response[str]:
    """Return the case page. `errors` and `typed` belong to a reply or note that was refused."""
    visit = visit_of(request)
    reader: Any = visit.reader
    details = await Details.find(number, reader)
    here = f"/agent/cases/{details.case.number}"
    kept = await drafts.kept(reader, f"{here}/replies", f"{here}/notes")
    typed = typed if typed is not None else kept[f"{here}/notes"] or kept[f"{here}/replies"]
    draft = await drafts.begun(reader, f"{here}/replies", typed)
    feed, time = await _feed(request, details)
    response = await agent_page(
        request, reader, "agent/cases/show.html", details=details, feed=feed, time=time, settable=SETTABLE, draft=draft,
        appointments=await appointments_with_time(details.case.id, reader), errors=errors or {}, typed=typed,
    )  # fmt: skip
    return read_when_sent(request, response, ("case", details.case.id))


async def _feed(request: Web, details: Details) -> tuple[Feed, CaseTime]:
    visit, before = visit_of(request), request.query_params.get("before", "")
    reader: Any = visit.reader
    case, company = details.case, visit.company.name
    files_at = f"/agent/cases/{case.number}/files/"
    feed = await feed_of(
        case, reader, customer=details.customer_name, files_at=files_at, company=company, before=before
    )
    return await feed_with_time(feed, case.id, reader, before=before)


@get("/cases/{number:str}/feed")
async def show_feed(request: Web, reader: NamedDependency[AgentReader], number: FromPath[str]) -> Response[str]:
    """Serve the parts of the case page that refresh themselves: the feed, the head and the side panel."""
    details = await Details.find(number, reader)
    feed, time = await _feed(request, details)
    response = page(
        request, "agent/cases/feed.swap.html", details=details, feed=feed, time=time, settable=SETTABLE,
        appointments=await appointments_with_time(details.case.id, reader),
    )  # fmt: skip
    return read_when_sent(request, response, ("case", details.case.id))


@post("/cases/{number:str}/replies")
@on_refusal(show_case)
async def reply(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Create a reply, which the customer reads, and change the status if the agent chose that."""
    fields = form.into(Writing)
    then = Status.WAITING_FOR_CUSTOMER if fields.then == "wait" else None
    async with transaction(reader):
        case = await Case.find(number, reader)
        await case.reply(by=reader, text=fields.body, files=form.files, at=at, then=then, form_key=form.key)
    return await _written(reader, number, form, at)


@post("/cases/{number:str}/notes")
@on_refusal(show_case)
async def note(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Create an internal note, which no customer can ever read (D51)."""
    fields = form.into(Writing)
    async with transaction(reader):
        case = await Case.find(number, reader)
        await case.note(by=reader, text=fields.body, files=form.files, at=at, form_key=form.key)
    return await _written(reader, number, form, at)


async def _written(reader: AgentReader, number: str, form: Form, at: datetime) -> Response[Any]:
    """Delete the saved draft of the composer, which both form URLs share, and redirect to the composer."""
    for noun in ("replies", "notes"):
        await drafts.done(reader, f"/agent/cases/{number}/{noun}", form.key, at)
    return see_other(f"/agent/cases/{number}#composer")


@get("/cases/{number:str}/files/{file:uuid}")
async def show_file(
    reader: NamedDependency[AgentReader],
    storage: NamedDependency[Storage],
    number: FromPath[str],
    file: FromPath[uuid.UUID],
) -> Response[Any]:
    """Serve a file of the case as a download."""
    case = await Case.find(number, reader)
    found = await Attachment.find(file, case.id)
    return download(storage.read(found.key), found.name, size=found.size)


handlers: list[Any] = [show, show_feed, reply, note, show_file]
