"""Serve the page on which agents choose the contacts who watch a case, and whether the case is confidential."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk import Case, Details
from portal.desk.verbs.sharing import Confidentiality, NewWatcher, watchers_of
from portal.errors import Conflict
from portal.people.contact_search import contacts_of, known_contacts_of
from portal.people.contacts import Contact
from portal.people.offered import choices
from portal.people.readers import AgentReader
from portal.web.finding import picked
from portal.web.form_pages import FORM_PAGE
from portal.web.forms import Form
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of

PLACE = {FORM_PAGE: "/agent/cases/{number}/sharing"}


@get("/cases/{number:str}/sharing")
async def show(request: Web, number: FromPath[str]) -> Response[str]:
    """Show the contact and the watchers of a case, and the forms that change its watchers and its confidentiality."""
    return await _show(request, number=number)


async def _show(
    request: Web, *, number: str, typed: dict[str, Any] | None = None, errors: dict[str, str] | None = None
) -> Response[str]:
    reader: Any = visit_of(request).reader
    details = await Details.find(number, reader)
    watching = await watchers_of(details.case)
    contacts = await Contact.selectable(details.case.customer_id)
    known = {details.case.contact_id, *(one.id for one in watching)}
    return await form_page(
        request, "agent/related/sharing.html", details=details, watching=watching, typed=typed or {}, errors=errors,
        strangers=None if contacts is None else choices(one for one in contacts if one.id not in known),
        finders={"contact": known_contacts_of(details.case.customer_id)}, colleagues_at=f"/agent/finders/contacts/{number}",
    )  # fmt: skip


@post("/cases/{number:str}/watchers", opt=PLACE)
@on_refusal(_show, Conflict)
async def add_watcher(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:  # fmt: skip
    """Make a contact of the customer a watcher of the case, and redirect to the page with the watchers."""
    async with transaction(reader):
        case = await Case.find(number, reader)
        form.into(NewWatcher)
        await case.watch(await picked(form, "contact", contacts_of(case.customer_id)), by=reader, at=at)
    return see_other(f"/agent/cases/{case.number}/sharing")


@post("/cases/{number:str}/watchers/{contact:int}/removal", opt=PLACE)
@on_refusal(_show, Conflict)
async def remove_watcher(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], number: FromPath[str], contact: FromPath[int]
) -> Response[Any]:
    """Remove a contact from the watchers of the case, and redirect to the page with the watchers."""
    async with transaction(reader):
        case = await Case.find(number, reader)
        await case.unwatch(contact, by=reader, at=at)
    return see_other(f"/agent/cases/{case.number}/sharing")


@post("/cases/{number:str}/confidentiality", opt=PLACE)
@on_refusal(_show, Conflict)
async def set_confidential(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:  # fmt: skip
    """Make the case confidential, or end its confidentiality, and redirect to the page with the watchers.

    A confidential case is hidden from all contacts of the customer except its contact and its watchers.
    """
    async with transaction(reader):
        case = await Case.find(number, reader, itself=True)
        await case.set_confidential(form.into(Confidentiality).confidential, by=reader, at=at)
    return see_other(f"/agent/cases/{case.number}/sharing")


handlers: list[Any] = [show, add_watcher, remove_watcher, set_confidential]
