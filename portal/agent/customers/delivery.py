"""Serve the page on which an admin chooses how the invoices of a customer are delivered."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.people.customers import Customer, DeliveryFacts
from portal.people.readers import AgentReader
from portal.web.account.confirmation import confirm_person, needs_password
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


class DeliveryForm(DeliveryFacts, kw_only=True):
    """Form that sets how invoices are delivered.

    `password` is the password of the signed-in admin. The password is required to set another mail address for
    invoices, unless the admin typed it recently (R20).
    """

    password: str = ""


@get("/customers/{customer:int}/invoice-delivery", guards=[admin_only])
async def edit(request: Web, customer: FromPath[int]) -> Response[str]:
    """Show the form that changes how the customer's invoices are delivered."""
    return await _form(request, customer=customer)


async def _form(request: Web, *, customer: int, **again: Any) -> Response[str]:
    reader: Any = visit_of(request).reader
    found = await Customer.find(customer, reader)
    return await form_page(
        request, "agent/customers/delivery.html", facts=found.delivery, customer=found,
        asks_password=needs_password(request), **again,
    )  # fmt: skip


@post("/customers/{customer:int}/invoice-delivery", guards=[admin_only])
@on_refusal(_form)
async def change(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    customer: FromPath[int],
) -> Response[Any]:
    """Save how the customer's invoices are delivered, and redirect to the customer.

    To set another mail address for invoices, the form must have the admin's password, unless the admin typed it
    recently (R20).
    """
    async with transaction(reader, readonly=True):
        before = (await Customer.find(customer, reader)).delivery
    facts = edited(form, DeliveryForm, before)
    if facts.email.strip() not in ("", before.email):
        await confirm_person(request, facts.password, at)
    async with transaction(reader):
        found = await Customer.find(customer, reader, hold=True)
        await found.deliver(edited(form, DeliveryForm, found.delivery))
    return see_other(f"/agent/customers/{customer}")


handlers: list[Any] = [edit, change]
