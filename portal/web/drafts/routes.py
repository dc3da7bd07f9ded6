"""Handle what pages send while a form is not sent yet: its text, its files, and which files to remove."""

import uuid
from datetime import datetime
from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.database import transaction
from portal.desk.files import draft_files
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
    """Save the current text of a form as a draft; delete the draft if the form is empty."""
    fields = dict(form.fields)
    address = _checked(fields.pop("address", [""])[-1])
    if not any(values[-1].strip() for name, values in fields.items() if name != "form_key"):
        await drafts.forget(reader, address)
    elif not await drafts.keep(reader.credential_id, address, fields, at):
        raise Conflict("This form was sent already.")
    return Response(None, status_code=204)


@post("/drafts/files")
async def keep_files(request: Web, form: NamedDependency[Form]) -> Response[str]:
    """Save a file that was just chosen for the form with the key `?form=`; return the HTML list of its files."""
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
    """Remove an uploaded file from the form with the key `?form=`.

    Without JavaScript, the form's text is sent too and is saved as a draft.
    """
    address = _asked(request)
    await draft_files.take_off(file, storage, by=reader)
    if wants_fragment(request):
        async with transaction(reader, readonly=True):
            files = await draft_files.of_form(form.key, reader) if form.key else []
        return page(request, "shared/_draft_files.html", files=files, draft_at=address)
    await drafts.keep(reader.credential_id, address, form.fields, at)
    return see_other(address if "?" in address else form_page(request.app, address) or address)


@post("/drafts/removal")
async def discard(request: Web, reader: NamedDependency[Any]) -> Response[Any]:
    """Delete the draft with the key `?form=`; the worker deletes its files later."""
    address = _asked(request)
    await drafts.forget(reader, address)
    return see_other(address.partition("?")[0])


def _asked(request: Web) -> str:
    return _checked(request.query_params.get("form", ""))


def _checked(address: str) -> str:
    if not address.startswith("/") or safe_path(address) != address:
        raise BadRequest
    return address


handlers: list[Any] = [keep_typed, keep_files, take_off, discard]
