"""Serve the requests that a page makes before its form is sent: save text and files, remove files, preview, discard."""

import uuid
from datetime import datetime
from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.database import transaction
from portal.desk.files import draft_files
from portal.desk.messages import Writing, html_of
from portal.errors import BadRequest, Conflict, Invalid
from portal.storage import Storage
from portal.web import drafts
from portal.web.form_pages import form_page
from portal.web.forms import Form
from portal.web.pages import page, see_other
from portal.web.visit import Web, safe_path, wants_fragment


@post("/drafts")
async def keep_typed(
    reader: NamedDependency[Any], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[None]:
    """Save the current text of a form as a draft, or empty the draft if all fields of the form are empty; return 204.

    The form field `address` is the URL of the draft. Raise `Conflict` if the form was sent already.
    """
    fields = dict(form.fields)
    address = _checked(fields.pop("address", [""])[-1])
    if not any(values[-1].strip() for name, values in fields.items() if name != "form_key"):
        await drafts.forget(reader, address)
    elif not await drafts.keep(reader.credential_id, address, fields, at):
        raise Conflict("This form was sent already.")
    return Response(None, status_code=204)


@post("/drafts/files")
async def keep_files(request: Web, form: NamedDependency[Form]) -> Response[str]:
    """Return the HTML list of the files of a form, including the new file.

    The new file is stored already, because files are stored while the body of a request is read. The query parameter
    `form` (not the argument of this name) is the URL of the form's draft. Raise `Invalid` if the new file was refused.
    """
    if form.problems:
        raise Invalid(form.problems)
    return page(request, "shared/_draft_files.html", files=form.files, draft_at=_asked(request))


@post("/drafts/files/{file:uuid}/removal")
async def take_off(
    request: Web,
    reader: NamedDependency[Any],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    storage: NamedDependency[Storage],
    file: FromPath[uuid.UUID],
) -> Response[Any]:
    """Remove an uploaded file from a form. The query parameter `form` is the URL of the form's draft.

    For htmx, return the HTML list of the form's other files. Without JavaScript, the browser sends the form's text too:
    save the text as a draft, and redirect to the form's page.
    """
    address = _asked(request)
    await draft_files.take_off(file, storage, by=reader)
    if wants_fragment(request):
        async with transaction(reader, readonly=True):
            files = await draft_files.of_form(form.key, reader) if form.key else []
        return page(request, "shared/_draft_files.html", files=files, draft_at=address)
    await drafts.keep(reader.credential_id, address, form.fields, at)
    return see_other(address if "?" in address else form_page(request.app, address) or address)


@post("/drafts/preview")
async def preview(request: Web, form: NamedDependency[Form]) -> Response[str]:
    """Return the HTML of the Markdown text in `body`, as those who receive the text will see it. Save nothing.

    Raise `Invalid` if the text is too long.
    """
    text = form.get("body")
    html = await html_of(Writing(text)) if text.strip() else ""
    return page(request, "shared/_written.html", html=html)


@post("/drafts/removal")
async def discard(request: Web, reader: NamedDependency[Any]) -> Response[Any]:
    """Discard a draft, and redirect to the page of its form. The query parameter `form` is the address of the draft.

    The worker deletes the files of the draft later.
    """
    address = _asked(request)
    await drafts.forget(reader, address)
    return see_other(address.partition("?")[0])


def _asked(request: Web) -> str:
    return _checked(request.query_params.get("form", ""))


def _checked(address: str) -> str:
    """Return the address of a draft unchanged. Raise `BadRequest` unless it is a path of this site."""
    if not address.startswith("/") or safe_path(address) != address:
        raise BadRequest
    return address


handlers: list[Any] = [keep_typed, keep_files, take_off, preview, discard]
