"""Serve the page on which an administrator of a customer chooses how the customer's invoices are mailed (C7)."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from portal.database import transaction
from portal.people.contacts.administration import administering
from portal.people.customers import Customer, DeliveryFacts
from portal.people.readers import ContactReader
from portal.web.account.confirmation import confirm_person, needs_password
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.guards import administrator_only
from portal.web.pages import form_values, on_refusal, page, see_other
from portal.web.visit import Web


class DeliveryForm(DeliveryFacts, kw_only=True):
    """Fields of the form that changes how invoices are mailed.

    `password` is the password of the signed-in administrator. It is required to set another mail address for invoices,
    unless the administrator has typed their password recently (R20).
    """

    password: str = ""


@get("/contacts/invoice-delivery", guards=[administrator_only])
async def edit(request: Web, reader: NamedDependency[ContactReader]) -> Response[str]:
    """Show the form that changes how invoices are mailed."""
    return await _form(request, reader=reader)


async def _form(
    request: Web,
    *,
    reader: ContactReader,
    typed: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
) -> Response[str]:
    stored = (await Customer.find(reader.customer_id, reader)).delivery
    values = await form_values(request, stored, typed)
    return page(
        request, "customer/contacts/delivery.html", errors=errors or {}, asks_password=needs_password(request), **values
    )


@post("/contacts/invoice-delivery", guards=[administrator_only])
@on_refusal(_form)
async def change(
    request: Web, reader: NamedDependency[ContactReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Save how invoices are mailed, and redirect to the contacts.

    A new mail address for invoices requires the administrator's password, unless it was typed recently (R20).
    """
    async with transaction(reader, readonly=True):
        before = (await Customer.find(reader.customer_id, reader)).delivery
    facts = edited(form, DeliveryForm, before)
    if facts.email.strip() not in ("", before.email):
        await confirm_person(request, facts.password, at)
    async with administering(reader) as by:
        found = await Customer.find(by.customer_id, by, hold=True)
        await found.deliver(edited(form, DeliveryForm, found.delivery))
    return see_other("/contacts#invoices")


handlers: list[Any] = [edit, change]
