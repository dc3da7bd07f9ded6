"""Serve the pages on which an administrator of a customer invites and changes contacts, and ends their access."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal import regions
from portal.database import transaction
from portal.desk.leaving import end_contact, open_cases_of_contact
from portal.errors import Conflict
from portal.mail import refusals
from portal.numbers import number_in
from portal.people.access import invitations
from portal.people.contact_search import known_contacts_of
from portal.people.contacts import Contact, ContactFacts
from portal.people.contacts.administration import administering, refuse_own_end, refuse_own_loss
from portal.people.customers import Customer
from portal.people.offered import without
from portal.people.readers import ContactReader
from portal.web.account.confirmation import ask_for_password, confirm_person, needs_password
from portal.web.edits import edited
from portal.web.finding import people_in, settle
from portal.web.forms import Form
from portal.web.guards import administrator_only
from portal.web.limits import count_invitation
from portal.web.pages import form_values, on_refusal, page, see_other
from portal.web.visit import Web, visit_of


class ContactForm(ContactFacts, kw_only=True):
    """Fields of the form that adds or changes a contact.

    `password` is the password of the signed-in administrator. It is required for a new contact and for a new mail
    address, unless the administrator has typed their password recently (R20).
    """

    password: str = ""


class Successor(Struct, kw_only=True):
    """Fields of the form that ends a contact's access.

    `contact` is the id of the contact who takes over the open cases; if it is None, the cases keep their contact.
    """

    contact: int | None = None


@get("/contacts", guards=[administrator_only])
async def list_contacts(request: Web, reader: NamedDependency[ContactReader]) -> Response[str]:
    """Show the contacts of the customer with their rights, and how invoices are mailed.

    Contacts who have left come last. The query parameter `page` is the number of the page, from 1.
    """
    contacts = await Contact.listed(reader.customer_id, number_in(request.query_params.get("page")))
    customer = await Customer.find(reader.customer_id, reader)
    return page(
        request, "customer/contacts/list.html", contacts=contacts, pages=contacts.links("/contacts?page="),
        refused=await refusals.of_addresses([customer.email or "", *(one["email"] or "" for one in contacts)]), customer=customer,
    )  # fmt: skip


@get("/contacts/new", guards=[administrator_only])
async def new(request: Web, reader: NamedDependency[ContactReader]) -> Response[str]:
    """Show an empty form for a new contact."""
    return await _form(request, reader=reader)


async def _form(
    request: Web,
    *,
    reader: ContactReader,
    contact: int | None = None,
    typed: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
) -> Response[str]:
    visit, found = visit_of(request), await Contact.find(contact, reader) if contact is not None else None
    facts = await found.facts() if found else None
    values = await form_values(request, facts, typed)
    access = await found.invited(visit.at) if found else None
    return page(
        request, "customer/contacts/contact.html", contact=found, errors=errors or {}, zones=regions.zones(),
        refusal=await refusals.find(facts.email) if facts else None,
        locales=regions.LOCALES, asks_password=needs_password(request),
        access=access | {"mails": bool(visit.settings.smtp_url)} if access else None, **values,
    )  # fmt: skip


@post("/contacts/new", guards=[administrator_only])
@on_refusal(_form)
async def add(
    request: Web, reader: NamedDependency[ContactReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Create a contact, and mail them an invitation or, without a mail server, show the invitation link once."""
    facts = form.into(ContactForm)
    await confirm_person(request, facts.password, at)
    await count_invitation(request)
    async with administering(reader) as by:
        customer = await Customer.find(by.customer_id, by)
        return await _invited(request, await Contact.create(customer, facts, at, by=by), at)


@get("/contacts/{contact:int}", guards=[administrator_only])
async def edit(request: Web, reader: NamedDependency[ContactReader], contact: FromPath[int]) -> Response[str]:
    """Show the form that changes a contact."""
    return await _form(request, reader=reader, contact=contact)


@post("/contacts/{contact:int}", guards=[administrator_only])
@on_refusal(_form)
async def change(
    request: Web,
    reader: NamedDependency[ContactReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    contact: FromPath[int],
) -> Response[Any]:
    """Save changed data and rights of a contact, and redirect to the contacts.

    New rights apply from the next request on. A new mail address requires the administrator's password, unless it was
    typed recently, because the address gives access to the account.
    """
    async with transaction(reader, readonly=True):
        before = await (await Contact.find(contact, reader)).facts()
    facts = edited(form, ContactForm, before)
    if facts.email != before.email:
        await confirm_person(request, facts.password, at)
    async with administering(reader) as by:
        found = await Contact.find(contact, by, hold=True)
        facts = edited(form, ContactForm, await found.facts())
        refuse_own_loss(found, facts, by)
        await found.change(facts, at)
    return see_other("/contacts")


@post("/contacts/{contact:int}/invitations", guards=[administrator_only])
async def invite(
    request: Web, reader: NamedDependency[ContactReader], at: NamedDependency[datetime], contact: FromPath[int]
) -> Response[Any]:
    """Mail a contact a new link for setting a password or, without a mail server, show the link.

    The previous link stops working. Whoever sees the link can choose the contact's password. So if there is no mail
    server and the administrator has not typed their own password recently, create no link, and redirect to the page
    that asks for the password.
    """
    if not visit_of(request).settings.smtp_url:
        ask_for_password(request)
    await count_invitation(request)
    async with administering(reader) as by:
        return await _invited(request, await Contact.find(contact, by, hold=True), at)


async def _invited(request: Web, contact: Contact, at: datetime) -> Response[Any]:
    """Mail the contact a link for setting a password, and redirect to the contact.

    Without a mail server, return a page that shows an invitation link to copy.
    """
    if visit_of(request).settings.smtp_url:
        await contact.mail_link(at)
        return see_other(f"/contacts/{contact.id}#access")
    credential, token = await contact.credential(), await contact.invite(at)
    return page(
        request, "customer/contacts/invited.html", name=contact.name, email=credential["email"], back="/contacts",
        again=f"/contacts/{contact.id}/invitations", until=at + invitations.VALID,
        link=f"{visit_of(request).settings.base_url}/invitations/{token}",
    )  # fmt: skip


@post("/contacts/{contact:int}/invitations/revocation", guards=[administrator_only])
async def revoke_invitation(
    reader: NamedDependency[ContactReader], at: NamedDependency[datetime], contact: FromPath[int]
) -> Response[Any]:
    """End the open links by which a contact could set a password, and redirect to the contact."""
    async with administering(reader) as by:
        await (await Contact.find(contact, by, hold=True)).revoke_links(at)
    return see_other(f"/contacts/{contact}#access")


@get("/contacts/{contact:int}/ending", guards=[administrator_only])
async def show_ending(request: Web, reader: NamedDependency[ContactReader], contact: FromPath[int]) -> Response[str]:
    """Show the form that ends a contact's access, with the number of open cases, and ask who takes over these cases."""
    return await _ending(request, reader=reader, contact=contact)


async def _ending(
    request: Web,
    *,
    reader: ContactReader,
    contact: int,
    typed: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
) -> Response[str]:
    found = await Contact.find(contact, reader)
    finders = {"contact": known_contacts_of(reader.customer_id)}
    return page(
        request, "customer/contacts/ending.html", contact=found, typed=typed or {}, errors=errors or {},
        others=without(found.id, await Contact.selectable(reader.customer_id)), people=await people_in(typed, finders),
        colleagues_at="/finders/colleagues",
        cases=await open_cases_of_contact(found.id, by_contact=True),
    )  # fmt: skip


@post("/contacts/{contact:int}/ending", guards=[administrator_only])
@on_refusal(_ending, Conflict)
async def end(
    reader: NamedDependency[ContactReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    contact: FromPath[int],
) -> Response[Any]:
    """End a contact's access at once, and redirect to the contacts.

    The contact's open cases are handed over to the contact chosen in the form. If no contact is chosen, the cases keep
    their contact.
    """
    async with administering(reader) as by:
        await settle(form, "contact", known_contacts_of(reader.customer_id))
        successor = form.into(Successor).contact
        found = await Contact.find(contact, by, hold=True)
        refuse_own_end(found, by)
        await end_contact(found, successor_id=successor, by=by, at=at)
    return see_other("/contacts")


@post("/contacts/{contact:int}/resumption", guards=[administrator_only])
async def resume(reader: NamedDependency[ContactReader], contact: FromPath[int]) -> Response[Any]:
    """Restore the access of a contact whose access was ended, and redirect to the contacts."""
    async with administering(reader) as by:
        await (await Contact.find(contact, by, hold=True)).resume()
    return see_other("/contacts")


@post("/contacts/{contact:int}/mail-refusal/removal", guards=[administrator_only])
async def try_mail_again(reader: NamedDependency[ContactReader], contact: FromPath[int]) -> Response[Any]:
    """Forget that a mail server refused a contact's address, and redirect to the contact.

    From now on, mails are sent to the address again.
    """
    async with administering(reader) as by:
        await refusals.forget((await (await Contact.find(contact, by, hold=True)).credential())["email"])
    return see_other(f"/contacts/{contact}")


handlers: list[Any] = [
    list_contacts, new, add, edit, change, invite, revoke_invitation, show_ending, end, resume, try_mail_again,
]  # fmt: skip
