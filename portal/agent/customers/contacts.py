"""Serve the pages for a customer's contacts and their invitations. Only admins may open them."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal import regions
from portal.agent.setup.access import access_of, remove_factors, sign_out_everywhere, try_mail_again
from portal.agent.setup.pages import form_page, invite_person
from portal.contracts.company import Company
from portal.database import transaction
from portal.desk.leaving import end_contact, open_cases_of_contact
from portal.errors import Conflict
from portal.people.contact_search import known_contacts_of
from portal.people.contacts import Contact, ContactFacts
from portal.people.customers import Customer
from portal.people.offered import without
from portal.people.readers import AgentReader
from portal.personal.erasing import erase, held_of
from portal.web.account.confirmation import ask_for_password, confirm_person, needs_password
from portal.web.account.personal_data import data_of_caller, personal_data
from portal.web.edits import edited
from portal.web.finding import settle
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


class ContactForm(ContactFacts, kw_only=True):
    """Form of a contact.

    `password` is the password of the signed-in admin. If the form sets or changes the mail address, this password is
    required, unless the admin typed it recently (R20).
    """

    password: str = ""


class Successor(Struct, kw_only=True):
    """Form that ends a contact's access and names a successor.

    `contact` is the id of the contact who takes over the open cases; if `contact` is None, these cases stay with the
    leaving contact.
    """

    contact: int | None = None


@get("/customers/{customer:int}/contacts/new", guards=[admin_only])
async def new(request: Web, reader: NamedDependency[AgentReader], customer: FromPath[int]) -> Response[str]:
    """Show the form for a new contact."""
    return await _form(request, reader=reader, customer=customer)


async def _form(
    request: Web, *, reader: AgentReader, customer: int, contact: int | None = None, **again: Any
) -> Response[str]:
    found = await Contact.find(contact, reader, customer=customer) if contact is not None else None
    is_first = found is None and not await Contact.any_signs_in(customer)
    return await form_page(
        request, "agent/customers/contact.html", facts=await found.facts() if found else None, contact=found, is_first=is_first,
        customer=await Customer.find(customer, reader), set_up=await Company.find(), zones=regions.zones(),
        locales=regions.LOCALES, access=await access_of(request, found) if found else None,
        asks_password=needs_password(request), **again,
    )  # fmt: skip


@post("/customers/{customer:int}/contacts/new", guards=[admin_only])
@on_refusal(_form)
async def add(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    customer: FromPath[int],
) -> Response[Any]:
    """Create a contact and invite them, by mail or with a link that the response shows once.

    If the contact has a mail address, the form must have the admin's password, unless the admin typed it recently
    (R20). If the contact has no mail address, invite nobody and redirect to the customer.
    """
    facts = form.into(ContactForm)
    if facts.email.strip():
        await confirm_person(request, facts.password, at)
    async with transaction(reader):
        contact = await Contact.create(await Customer.find(customer, reader), facts, at)
        if facts.email.strip():
            return await _invited(request, contact, at)
    return see_other(f"/agent/customers/{customer}")


@get("/customers/{customer:int}/contacts/{contact:int}", guards=[admin_only])
async def edit(
    request: Web, reader: NamedDependency[AgentReader], customer: FromPath[int], contact: FromPath[int]
) -> Response[str]:
    """Show the form that changes a contact."""
    return await _form(request, reader=reader, customer=customer, contact=contact)


@post("/customers/{customer:int}/contacts/{contact:int}", guards=[admin_only])
@on_refusal(_form)
async def change(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    customer: FromPath[int],
    contact: FromPath[int],
) -> Response[Any]:
    """Save changed data of a contact, and redirect to the customer.

    New rights apply from the contact's next request on. A new mail address requires the admin's password, unless the
    admin typed it recently, because whoever receives mail there can get access to the account.
    """
    async with transaction(reader, readonly=True):
        before = await (await Contact.find(contact, reader, customer=customer)).facts()
    facts = edited(form, ContactForm, before)
    if facts.email != before.email:
        await confirm_person(request, facts.password, at)
    async with transaction(reader):
        found = await Contact.find(contact, reader, customer=customer, hold=True)
        await found.change(edited(form, ContactForm, await found.facts()), at)
    return see_other(f"/agent/customers/{customer}")


@post("/customers/{customer:int}/contacts/{contact:int}/invitations", guards=[admin_only])
async def invite(
    request: Web,
    reader: NamedDependency[AgentReader],
    at: NamedDependency[datetime],
    customer: FromPath[int],
    contact: FromPath[int],
) -> Response[Any]:
    """Mail a contact a new link for setting a password, and invalidate older links.

    If there is no mail server, show the link to the admin instead. Whoever sees the link can choose the contact's
    password, so in this case the admin must have typed their own password recently; if not, redirect to the page that
    asks for the admin's password.
    """
    if not visit_of(request).settings.smtp_url:
        ask_for_password(request)
    async with transaction(reader):
        return await _invited(request, await Contact.find(contact, reader, customer=customer, hold=True), at)


async def _invited(request: Web, contact: Contact, at: datetime) -> Response[Any]:
    back = f"/agent/customers/{contact.customer_id}"
    return await invite_person(request, contact, at, page=f"{back}/contacts/{contact.id}", back=back)


@post("/customers/{customer:int}/contacts/{contact:int}/invitations/revocation", guards=[admin_only])
async def revoke_invitation(
    reader: NamedDependency[AgentReader],
    at: NamedDependency[datetime],
    customer: FromPath[int],
    contact: FromPath[int],
) -> Response[Any]:
    """End the open links by which a contact could set a password, and redirect to the contact."""
    async with transaction(reader):
        await (await Contact.find(contact, reader, customer=customer, hold=True)).revoke_links(at)
    return see_other(f"/agent/customers/{customer}/contacts/{contact}#access")


@get("/customers/{customer:int}/contacts/{contact:int}/ending", guards=[admin_only])
async def show_ending(
    request: Web, reader: NamedDependency[AgentReader], customer: FromPath[int], contact: FromPath[int]
) -> Response[str]:
    """Show the open cases of a contact whose access is to be ended, and ask which contact takes them over."""
    return await _ending(request, reader=reader, customer=customer, contact=contact)


async def _ending(request: Web, *, reader: AgentReader, customer: int, contact: int, **again: Any) -> Response[str]:
    found = await Contact.find(contact, reader, customer=customer)
    return await form_page(
        request, "agent/customers/ending.html", contact=found, customer=await Customer.find(customer, reader),
        cases=await open_cases_of_contact(found.id), finders={"contact": known_contacts_of(customer)},
        others=without(found.id, await Contact.selectable(customer)),
        colleagues_at=f"/agent/finders/customers/{customer}/contacts", **again,
    )  # fmt: skip


@post("/customers/{customer:int}/contacts/{contact:int}/ending", guards=[admin_only])
@on_refusal(_ending)
async def end(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    customer: FromPath[int],
    contact: FromPath[int],
) -> Response[Any]:
    """End a contact's access at once, give the contact's open cases to the successor, and redirect to the customer.

    Without a successor, the cases stay with the contact.
    """
    async with transaction(reader):
        await settle(form, "contact", known_contacts_of(customer))
        successor = form.into(Successor).contact
        found = await Contact.find(contact, reader, customer=customer, hold=True)
        await end_contact(found, successor_id=successor, by=reader, at=at)
    return see_other(f"/agent/customers/{customer}")


@post("/customers/{customer:int}/contacts/{contact:int}/resumption", guards=[admin_only])
async def resume(
    reader: NamedDependency[AgentReader], customer: FromPath[int], contact: FromPath[int]
) -> Response[Any]:
    """Restore the access of a contact whose access was ended, and redirect to the customer."""
    async with transaction(reader):
        await (await Contact.find(contact, reader, customer=customer, hold=True)).resume()
    return see_other(f"/agent/customers/{customer}")


@post("/customers/{customer:int}/contacts/{contact:int}/sign-out", guards=[admin_only])
async def sign_out(
    reader: NamedDependency[AgentReader],
    at: NamedDependency[datetime],
    customer: FromPath[int],
    contact: FromPath[int],
) -> Response[Any]:
    """End all sessions of a contact, and redirect to the contact. The contact may sign in again."""
    async with transaction(reader):
        await sign_out_everywhere(await Contact.find(contact, reader, customer=customer, hold=True), at)
    return see_other(f"/agent/customers/{customer}/contacts/{contact}")


@post("/customers/{customer:int}/contacts/{contact:int}/second-factor/removal", guards=[admin_only])
async def remove_second_factor(
    request: Web,
    reader: NamedDependency[AgentReader],
    at: NamedDependency[datetime],
    customer: FromPath[int],
    contact: FromPath[int],
) -> Response[Any]:
    """Remove all second factors of a contact, end the contact's sessions, and redirect to the contact.

    If the admin has not typed their own password recently, change nothing, and redirect to the page that asks for it
    (R20).
    """
    async with transaction(reader, readonly=True):
        found = await Contact.find(contact, reader, customer=customer)
    await remove_factors(request, reader, found, at)
    return see_other(f"/agent/customers/{customer}/contacts/{contact}")


@post("/customers/{customer:int}/contacts/{contact:int}/mail-refusal/removal", guards=[admin_only])
async def try_contacts_mail_again(
    reader: NamedDependency[AgentReader], customer: FromPath[int], contact: FromPath[int]
) -> Response[Any]:
    """Forget that a mail server has refused a contact's mail address, and redirect to the contact.

    From now on, the portal sends mails to this mail address again.
    """
    async with transaction(reader):
        await try_mail_again(await Contact.find(contact, reader, customer=customer, hold=True))
    return see_other(f"/agent/customers/{customer}/contacts/{contact}")


@get("/customers/{customer:int}/contacts/{contact:int}/erasure", guards=[admin_only])
async def show_erasure(
    request: Web, reader: NamedDependency[AgentReader], customer: FromPath[int], contact: FromPath[int]
) -> Response[str]:
    """Show what erasing a contact deletes and what it keeps, and ask the admin to type the contact's name.

    If the admin has not typed their own password recently, redirect to the page that asks for it instead.
    """
    ask_for_password(request)
    return await _erasure(request, reader=reader, customer=customer, contact=contact)


async def _erasure(request: Web, *, reader: AgentReader, customer: int, contact: int, **again: Any) -> Response[str]:
    found = await Contact.find(contact, reader, customer=customer)
    return await form_page(
        request, "agent/customers/erasure.html", contact=found, customer=await Customer.find(customer, reader),
        held=await held_of(found), **again,
    )  # fmt: skip


class Erasure(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form that erases a contact. `name` is the contact's name, typed so that nobody erases the wrong contact."""

    name: str


@post("/customers/{customer:int}/contacts/{contact:int}/erasure", guards=[admin_only])
@on_refusal(_erasure, Conflict)
async def erase_contact(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    customer: FromPath[int],
    contact: FromPath[int],
) -> Response[Any]:
    """Erase a contact whose access has ended, and redirect to the customer. The erasure cannot be undone.

    If the admin has not typed their own password recently, erase nothing, and redirect to the page that asks for it.
    """
    ask_for_password(request)
    async with transaction(reader):
        found = await Contact.find(contact, reader, customer=customer, hold=True)
        await erase(found, form.into(Erasure).name, visit_of(request).storage, at)
    return see_other(f"/agent/customers/{customer}")


@get("/customers/{customer:int}/contacts/{contact:int}/data.zip", guards=[admin_only])
async def export_contact(
    request: Web, reader: NamedDependency[AgentReader], customer: FromPath[int], contact: FromPath[int]
) -> Response[Any]:
    """Serve a ZIP file with everything that the portal stores about a contact."""
    found = await Contact.find(contact, reader, customer=customer)
    credential = await found.credential_or_none()
    return await (personal_data(request, credential["id"]) if credential else data_of_caller(request, found))


handlers: list[Any] = [
    new, add, edit, change, invite, revoke_invitation, show_ending, end, resume, sign_out,
    remove_second_factor, try_contacts_mail_again, show_erasure, erase_contact, export_contact,
]  # fmt: skip
