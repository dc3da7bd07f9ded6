"""Serve the page on which contacts share a case with colleagues, hide it from other contacts, or hand it over."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.database import transaction
from portal.desk import Case, Details
from portal.desk.verbs.sharing import Confidentiality, NewWatcher, may_choose, owns, watchers_of
from portal.errors import Conflict, NotFound
from portal.people.contact_search import contacts_of, known_contacts_of
from portal.people.contacts import Contact
from portal.people.offered import Offered, choices
from portal.people.readers import ContactReader
from portal.web.finding import people_in, picked, suggested
from portal.web.form_pages import FORM_PAGE
from portal.web.forms import Form
from portal.web.pages import on_refusal, page, see_other
from portal.web.visit import Web, visit_of

PLACE = {FORM_PAGE: "/cases/{number}/sharing"}


class Handover(Struct, kw_only=True):
    """Fields of the form that hands a case over to the contact with the id `successor`.

    `successor_typed` is the text in the search field, if the form has one. If `stays` is true, the contact who hands
    the case over becomes a watcher.
    """

    successor: int | None = None
    successor_typed: str = ""
    stays: bool = False


@get("/cases/{number:str}/sharing")
async def show(request: Web, number: FromPath[str]) -> Response[str]:
    """Show the contact and the watchers of a case, and the forms with which the reader may change who sees the case."""
    return await _show(request, number=number)


async def _show(
    request: Web, *, number: str, typed: dict[str, Any] | None = None, errors: dict[str, str] | None = None
) -> Response[str]:
    reader: Any = visit_of(request).reader
    details = await Details.find(number, reader)
    case, watching = details.case, await watchers_of(details.case)
    chooses = may_choose(case, reader)
    known = {case.contact_id, *(one.id for one in watching)}
    contacts = await Contact.selectable(case.customer_id) if chooses else []
    return page(
        request, "customer/cases/sharing.html", details=details, case=case, watching=watching, chooses=chooses, owns=owns(case, reader),
        colleagues=_without(contacts, {reader.id}), strangers=_without(contacts, {reader.id, *known}),
        colleagues_at="/finders/colleagues",
        people=await people_in(typed, dict.fromkeys(("contact", "successor"), known_contacts_of(case.customer_id))),
        typed=typed or {}, errors=errors or {}, here=f"/cases/{case.number}",
        may_watch=chooses and reader.id not in known,
    )  # fmt: skip


def _without(contacts: list[Offered] | None, left_out: set[int]) -> list[tuple[int, str]] | None:
    """Return the contacts who are not in `left_out` as options; None if there are too many for a select field."""
    return None if contacts is None else choices(one for one in contacts if one.id not in left_out)


@get("/finders/colleagues")
async def suggest_colleagues(request: Web, reader: NamedDependency[ContactReader]) -> Response[str]:
    """Return the contacts of the customer who have not left and whose names match the typed text, as HTML."""
    return await suggested(request, contacts_of(reader.customer_id))


@post("/cases/{number:str}/watchers", opt=PLACE)
@on_refusal(_show, Conflict)
async def add_watcher(
    reader: NamedDependency[ContactReader], form: NamedDependency[Form], at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:  # fmt: skip
    """Make a colleague, or the signed-in contact, a watcher of the case, and redirect to the page that has the form.

    The form is on the page about sharing and, as a button, on the page of the case.
    """
    async with transaction(reader):
        case = await Case.find(number, reader)
        fields = form.into(NewWatcher)
        await case.watch(await picked(form, "contact", contacts_of(reader.customer_id)), by=reader, at=at)
    return see_other(f"/cases/{case.number}" if fields.on_case else f"/cases/{case.number}/sharing")


@post("/cases/{number:str}/watchers/{contact:int}/removal", opt=PLACE)
@on_refusal(_show, Conflict)
async def remove_watcher(
    reader: NamedDependency[ContactReader], at: NamedDependency[datetime], number: FromPath[str], contact: FromPath[int]
) -> Response[Any]:
    """Remove a contact from the watchers of the case, and redirect to the page about sharing.

    If the signed-in contact no longer sees the case, redirect to the list of cases instead.
    """
    async with transaction(reader):
        case = await Case.find(number, reader)
        await case.unwatch(contact, by=reader, at=at)
    return see_other(await _after(case, reader))


@post("/cases/{number:str}/confidentiality", opt=PLACE)
@on_refusal(_show, Conflict)
async def set_confidential(
    reader: NamedDependency[ContactReader], form: NamedDependency[Form], at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:  # fmt: skip
    """Make the signed-in contact's case confidential or not confidential, and redirect to the page about sharing."""
    async with transaction(reader):
        case = await Case.find(number, reader, itself=True)
        await case.set_confidential(form.into(Confidentiality).confidential, by=reader, at=at)
    return see_other(f"/cases/{case.number}/sharing")


@post("/cases/{number:str}/handover", opt=PLACE)
@on_refusal(_show, Conflict)
async def hand_over(
    reader: NamedDependency[ContactReader], form: NamedDependency[Form], at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:  # fmt: skip
    """Make a colleague the contact of the signed-in contact's case, and redirect to the page about sharing.

    If the signed-in contact no longer sees the case, redirect to the list of cases instead.
    """
    async with transaction(reader):
        case = await Case.find(number, reader, itself=True)
        fields = form.into(Handover)
        successor = await picked(form, "successor", contacts_of(reader.customer_id))
        await case.hand_over(successor, stays=fields.stays, by=reader, at=at)
    return see_other(await _after(case, reader))


async def _after(case: Case, reader: ContactReader) -> str:
    """Return the URL to redirect to after a change of who sees the case.

    This is the page about sharing or, if the signed-in contact no longer sees the case, the list of cases.
    """
    async with transaction(reader, readonly=True):
        try:
            await Case.find(case.number, reader)
        except NotFound:
            return "/cases"
    return f"/cases/{case.number}/sharing"


handlers: list[Any] = [show, suggest_colleagues, add_watcher, remove_watcher, set_confidential, hand_over]
