"""Serve a ZIP file with everything that is held about a person: to that person, and to admins for anybody (D58)."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from portal.database import transaction
from portal.people.contacts import Contact
from portal.people.readers import SYSTEM
from portal.personal import export
from portal.web import drafts
from portal.web.guards import signed_in
from portal.web.limits import exporting
from portal.web.pages import download
from portal.web.visit import Web, visit_of


async def personal_data(request: Web, credential_id: int) -> Response[Any]:
    """Record a download in the audit log, and return a ZIP file with everything that is held about a person.

    The ZIP file includes the person's unsent texts. Raise `TooMany` after too many downloads.
    """
    async with exporting(request):
        await export.record(credential_id)
    async with transaction(SYSTEM, readonly=True):
        person = await export.find(credential_id)
    async with transaction(None, readonly=True):
        unsent = await drafts.all_of(credential_id)
    return _file(request, person, unsent)


async def data_of_caller(request: Web, contact: Contact) -> Response[Any]:
    """Return a ZIP file of the personal data of a contact who has no mail address, and therefore no credential.

    The file has the same layout as that of `personal_data`. The caller must make sure that the person who makes the
    request is an admin.
    """
    async with exporting(request):
        await export.record_contact(contact.id)
    return _file(request, export.Person(None, None, None, contact.id, contact.name), [])


def _file(request: Web, person: export.Person, unsent: list[str]) -> Response[Any]:
    content = export.write_zip(person, visit_of(request).storage, unsent)
    return download(content, f"{person.name}.zip", media_type="application/zip")


@get("/account/data.zip", guards=[signed_in])
async def show(request: Web, reader: NamedDependency[Any]) -> Response[Any]:
    """Serve everything that is held about the reader as a ZIP file."""
    return await personal_data(request, reader.credential_id)


handlers: list[Any] = [show]
