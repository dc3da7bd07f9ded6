"""Serve the pages for customers. Every agent may read them, only admins may change them."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal import regions
from portal.agent.customers.card import card_of
from portal.agent.pages import agent_page
from portal.agent.setup.pages import form_page
from portal.contracts.case_types import CaseType
from portal.contracts.services import Service
from portal.contracts.services.defaults import DefaultChoice, DefaultService, DefaultsShown
from portal.database import transaction
from portal.mail import refusals
from portal.numbers import number_in
from portal.people.contacts import Contact
from portal.people.customers import Customer, CustomerFacts
from portal.people.offered import choices
from portal.people.readers import AgentReader
from portal.web.edits import as_seen, edited, seen_in
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.limits import searching
from portal.web.notices import reads_notices
from portal.web.pages import on_refusal, see_other
from portal.web.paging import links_of, turned_to
from portal.web.visit import Web, visit_of


@get("/customers")
async def list_customers(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show one page of the customers, or of the customers that match the text `?q=`. `?page=` counts from 1."""
    search = request.query_params.get("q", "")
    async with searching(request, search):
        customers = await Customer.listed(search, number_in(request.query_params.get("page")))
        return await agent_page(
            request,
            reader,
            "agent/customers/list.html",
            customers=customers,
            search=search.strip(),
            pages=customers.links(f"/agent/customers?{urlencode({'q': search.strip()})}&page="),
        )


@get("/customers/new", guards=[admin_only])
async def new(request: Web) -> Response[str]:
    """Show the form for a new customer."""
    return await _form(request)


async def _form(request: Web, *, customer: int | None = None, **again: Any) -> Response[str]:
    reader: Any = visit_of(request).reader
    found = await Customer.find(customer, reader) if customer is not None else None
    return await form_page(
        request, "agent/customers/form.html", facts=found.facts if found else None, customer=found,
        countries=regions.countries(), **again,
    )  # fmt: skip


@post("/customers/new", guards=[admin_only])
@on_refusal(_form)
async def add(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Create a customer and redirect to the customer's page, which says what is still missing."""
    async with transaction(reader):
        customer = await Customer.create(form.into(CustomerFacts), at)
    return see_other(f"/agent/customers/{customer.id}")


@get("/customers/{customer:int}")
@reads_notices
async def show(request: Web, reader: NamedDependency[AgentReader], customer: FromPath[int]) -> Response[str]:
    """Show the page of a customer: its cases, projects, contracts with hours, unpaid invoices and contacts (S3.32).

    `?page=` is the page number in the list of contacts, from 1.
    """
    return await _show(request, reader=reader, customer=customer)


async def _show(request: Web, *, reader: AgentReader, customer: int, **again: Any) -> Response[str]:
    found = await Customer.find(customer, reader)
    here = f"/agent/customers/{found.id}"
    types, defaults, contacts = (
        await CaseType.listed(),
        await DefaultService.of(found.id),
        await Contact.listed(found.id, turned_to(request, here)),
    )
    return await agent_page(
        request, reader, "agent/customers/show.html", customer=found, contacts=contacts, pages=links_of(request, here, contacts),
        refused=await refusals.of_addresses([found.email or "", *(one["email"] or "" for one in contacts)]),
        defaults=defaults, seen=as_seen(DefaultsShown.of(defaults)), case_types=types,
        type_choices=choices(one for one in types if not one.ended_at), service_choices=await Service.offered(found.id),
        **await card_of(request, reader, found.id), **again,
    )  # fmt: skip


@get("/customers/{customer:int}/edit", guards=[admin_only])
async def edit(request: Web, customer: FromPath[int]) -> Response[str]:
    """Show the form that changes a customer."""
    return await _form(request, customer=customer)


@post("/customers/{customer:int}/edit", guards=[admin_only])
@on_refusal(_form)
async def change(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], customer: FromPath[int]
) -> Response[Any]:
    """Save changed data of a customer, and redirect to the customer."""
    async with transaction(reader):
        found = await Customer.find(customer, reader, hold=True)
        await found.change(edited(form, CustomerFacts, found.facts))
    return see_other(f"/agent/customers/{customer}")


@post("/customers/{customer:int}/ending", guards=[admin_only])
async def end(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], customer: FromPath[int]
) -> Response[Any]:
    """End a customer, and redirect to the customer. The contacts are signed out at once and cannot sign in again."""
    async with transaction(reader):
        await (await Customer.find(customer, reader)).end(at)
    return see_other(f"/agent/customers/{customer}")


@post("/customers/{customer:int}/resumption", guards=[admin_only])
async def resume(reader: NamedDependency[AgentReader], customer: FromPath[int]) -> Response[Any]:
    """Resume a customer that was ended, so that its contacts may sign in again, and redirect to the customer."""
    async with transaction(reader):
        await (await Customer.find(customer, reader)).resume()
    return see_other(f"/agent/customers/{customer}")


@post("/customers/{customer:int}/default-service", guards=[admin_only])
@on_refusal(_show)
async def choose_default(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], customer: FromPath[int]
) -> Response[Any]:
    """Save the default service of the customer's new cases, and redirect to the customer.

    The default service applies to one case type, or to all case types that have no default service of their own.
    """
    case_type, shown = form.into(DefaultChoice).case_type_id, seen_in(form, DefaultsShown)
    async with transaction(reader):
        found = await Customer.find(customer, reader, hold=True)
        stored = DefaultsShown.of(await DefaultService.of(found.id))
        seen = (shown or stored).choice(case_type)
        choice = edited(form, DefaultChoice, stored.choice(case_type), seen=seen)
        await DefaultService.choose(found.id, choice.service_id, case_type=choice.case_type_id)
    return see_other(f"/agent/customers/{customer}")


handlers: list[Any] = [list_customers, new, add, show, edit, change, end, resume, choose_default]
