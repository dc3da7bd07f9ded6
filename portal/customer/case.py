"""Serve the page of one case to contacts: the dialogue, replying, closing, reopening, and files."""

import uuid
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.database import transaction
from portal.desk import Case, Details, feed_of, files_of
from portal.desk.appointments import appointments_of
from portal.desk.verbs.sharing import may_choose, owns
from portal.people.readers import ContactReader
from portal.storage import Storage
from portal.web import drafts, previews
from portal.web.files import case_zip
from portal.web.forms import Form
from portal.web.notices import about_to_read, read_when_sent
from portal.web.pages import on_refusal, page, see_other
from portal.web.visit import Web, visit_of, wants_fragment


class Reply(Struct, kw_only=True):
    """Fields of the form in which a contact replies.

    `form_key` identifies the form, so that a form that is sent twice creates one reply.
    """

    body: str = ""
    form_key: str = ""


@get("/cases/{number:str}")
async def show(request: Web, number: FromPath[str]) -> Response[str]:
    """Show a case, or redirect from the number of a merged case to the case that contains it now.

    The query parameter `before` is the paging cursor of older messages. A page that is open in a browser refreshes
    itself from this URL.
    """
    return await _show(request, number=number)


async def _show(
    request: Web,
    *,
    number: str,
    typed: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> Response[str]:
    visit = visit_of(request)
    reader: Any = visit.reader
    details = await Details.find(number, reader)
    if details.stands_for(number) and errors is None:
        return see_other(f"/cases/{details.case.number}?from={number}")
    await about_to_read(request, ("case", details.case.id), looks=details.is_unread)
    here, before = f"/cases/{details.case.number}", request.query_params.get("before", "")
    numbers = (details.case.number, *details.merged)
    address, kept = await drafts.first_kept(reader, *(f"/cases/{one}/replies" for one in numbers))
    draft = await drafts.begun(reader, address, typed or kept)
    response = page(
        request, "customer/cases/show.html", details=details, case=details.case, before=before, draft=draft, others=details.others(reader),
        feed=(await feed_of(
            details.case, reader, customer=details.customer_name, files_at=f"{here}/files/", company=visit.company.name, before=before
        )).folded(),
        files=await files_of(details.case, files_at=f"{here}/files/"),
        appointments=await appointments_of(details.case.id, reader, planned=True), typed=draft.typed, errors=errors or {},
        may_watch=may_choose(details.case, reader) and not (owns(details.case, reader) or details.watches),
        came_from=details.named_by(request.query_params.getall("from", [])),
    )  # fmt: skip
    return read_when_sent(request, response)


@post("/cases/{number:str}/replies")
@on_refusal(_show)
async def reply(
    reader: NamedDependency[ContactReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Create a contact's reply, and redirect to the case.

    A case that waited for the customer, or was resolved or closed, becomes open again. If the case was closed too long
    ago, the reply opens a new case instead, and the response redirects to the new case.
    """
    async with transaction(reader):
        case = await Case.find(number, reader)
        fields = form.into(Reply)
        case = await case.answer(by=reader, text=fields.body, files=form.files, at=at, form_key=form.key)
    return see_other(f"/cases/{case.number}")


@post("/cases/{number:str}/closure")
async def close(
    reader: NamedDependency[ContactReader], at: NamedDependency[datetime], number: FromPath[str]
) -> Response[Any]:
    """Close a case because the contact considers it solved, and redirect to the case."""
    async with transaction(reader):
        case = await Case.find(number, reader, itself=True)
        await case.close(by=reader, at=at)
    return see_other(f"/cases/{case.number}")


@post("/cases/{number:str}/reopening")
async def reopen(
    reader: NamedDependency[ContactReader], at: NamedDependency[datetime], number: FromPath[str]
) -> Response[Any]:
    """Reopen a resolved or closed case because the contact still needs help, and redirect to the case."""
    async with transaction(reader):
        case = await Case.find(number, reader, itself=True)
        await case.reopen(by=reader, at=at)
    return see_other(f"/cases/{case.number}")


@get("/cases/{number:str}/files/{file_id:uuid}")
async def send_file(
    request: Web, storage: NamedDependency[Storage], number: FromPath[str], file_id: FromPath[uuid.UUID]
) -> Response[Any]:
    """Serve a file of the case as a download."""
    return await previews.whole(request, storage, number, file_id)


@get("/cases/{number:str}/files/{file_id:uuid}/picture.webp")
async def show_picture(
    request: Web, storage: NamedDependency[Storage], at: NamedDependency[datetime], number: FromPath[str],
    file_id: FromPath[uuid.UUID],
) -> Response[bytes]:  # fmt: skip
    """Serve a file of the case as a WebP image: the image itself, or a page of a PDF (`previews.picture`)."""
    return await previews.picture(request, storage, number, file_id, at)


@get("/cases/{number:str}/files/{file_id:uuid}/preview")
async def show_preview(
    request: Web, storage: NamedDependency[Storage], at: NamedDependency[datetime], number: FromPath[str],
    file_id: FromPath[uuid.UUID],
) -> Response[str]:  # fmt: skip
    """Show the preview of a file of the case: as a fragment for htmx, otherwise on a page of its own."""
    found = await previews.shown(request, storage, number, file_id, at)
    template = "shared/_preview.html" if wants_fragment(request) else "customer/cases/file.html"
    return page(request, template, number=number, address=f"/cases/{number}/files/{file_id}", **found)


@get("/cases/{number:str}/case.zip")
async def export(request: Web, number: FromPath[str]) -> Response[Any]:
    """Serve a ZIP file of the case: everything that the page of the case shows the contact, with the files."""
    return await case_zip(request, number)


handlers: list[Any] = [show, export, reply, close, reopen, send_file, show_picture, show_preview]
