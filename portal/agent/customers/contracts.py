"""Serve the pages for a customer's contracts and their services. Only admins may open them."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal import billing, regions
from portal.agent.setup.pages import form_page
from portal.contracts.approvers import ServiceForm, designate, form_of
from portal.contracts.company import Company
from portal.contracts.contracts import Contract, ContractFacts
from portal.contracts.price_list.products import Product
from portal.contracts.price_list.templates import ServiceTemplate
from portal.contracts.services import Service
from portal.database import transaction
from portal.numbers import number_in
from portal.people.agents import Agent
from portal.people.customers import Customer
from portal.people.readers import AgentReader
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web


@get("/customers/{customer:int}/contracts/new", guards=[admin_only])
async def new_contract(request: Web, reader: NamedDependency[AgentReader], customer: FromPath[int]) -> Response[str]:
    """Show the form for a new contract, filled in from the template with the id `?template=` if the URL names one."""
    return await _contract(request, reader=reader, customer=customer)


async def _contract(
    request: Web,
    *,
    reader: AgentReader,
    customer: int,
    contract: int | None = None,
    typed: dict[str, Any] | None = None,
    **again: Any,
) -> Response[str]:
    found = await Contract.find(contract, reader, customer=customer) if contract is not None else None
    company = await Company.find() if found is None else None
    template = await _template_of(request) if found is None else None
    if template and typed is None:
        typed = {"name": template.name, "currency": template.currency, "cycle": template.cycle}
    return await form_page(
        request, "agent/customers/contract.html", facts=found.facts if found else None, contract=found, typed=typed,
        customer=await Customer.find(customer, reader), currencies=regions.currencies(), start_from=template,
        templates=await ServiceTemplate.offered() if found is None else [],
        usual_vat_rate=(await company.facts()).vat_rate if company else "", **again,
    )  # fmt: skip


async def _template_of(request: Web) -> ServiceTemplate | None:
    """Return the template with the id `?template=`, or None without an id.

    The template fills in the form of a new contract or service.
    """
    number = number_in(request.query_params.get("template", ""))
    return await ServiceTemplate.find(number) if number else None


@post("/customers/{customer:int}/contracts/new", guards=[admin_only])
@on_refusal(_contract)
async def add_contract(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    customer: FromPath[int],
) -> Response[Any]:
    """Create a contract and redirect to the form of its first service.

    The redirect keeps `?template=` if that template fits the contract.
    """
    async with transaction(reader):
        template = await _template_of(request)
        contract = await Contract.create(await Customer.find(customer, reader), form.into(ContractFacts), at)
    query = f"?template={template.id}" if template and template.fits(contract) else ""
    return see_other(f"/agent/customers/{customer}/contracts/{contract.id}/services/new{query}")


@get("/customers/{customer:int}/contracts/{contract:int}", guards=[admin_only])
async def contract(
    request: Web, reader: NamedDependency[AgentReader], customer: FromPath[int], contract: FromPath[int]
) -> Response[str]:
    """Show the form that changes a contract."""
    return await _contract(request, reader=reader, customer=customer, contract=contract)


@post("/customers/{customer:int}/contracts/{contract:int}", guards=[admin_only])
@on_refusal(_contract)
async def change_contract(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    customer: FromPath[int],
    contract: FromPath[int],
) -> Response[Any]:
    """Save a changed contract, and redirect to the customer.

    This recomputes what pays for the customer's open time, that is, approved time on no document yet. The rates that
    approvals have fixed do not change, and neither do documents.
    """
    async with transaction(reader), billing.changing_terms(customer):
        found = await Contract.find(contract, reader, customer=customer, hold=True)
        await found.change(edited(form, ContractFacts, found.facts), at)
    return see_other(f"/agent/customers/{customer}")


@get("/customers/{customer:int}/contracts/{contract:int}/services/new", guards=[admin_only])
async def new_service(
    request: Web, reader: NamedDependency[AgentReader], customer: FromPath[int], contract: FromPath[int]
) -> Response[str]:
    """Show the form for a new service, filled in from the template `?template=` if that template fits the contract."""
    return await _service(request, reader=reader, customer=customer, contract=contract)


async def _service(
    request: Web,
    *,
    reader: AgentReader,
    customer: int,
    contract: int,
    service: int | None = None,
    form: Form | None = None,
    typed: dict[str, Any] | None = None,
    **again: Any,
) -> Response[str]:
    found = await Service.find(service, reader, customer=customer, contract=contract) if service is not None else None
    facts = await form_of(found) if found else None
    of = await Contract.find(contract, reader, customer=customer)
    template = await _template_of(request) if found is None else None
    if template and typed is None and template.fits(of):
        typed = template.service_fields
    return await form_page(
        request, "agent/customers/service.html", facts=facts, service=found, typed=typed,
        managers=await Agent.managers(), ticked=_ticked(form, facts, typed),
        templates=[] if found else [one for one in await ServiceTemplate.offered(of.currency) if one.fits(of)],
        products=[(one.id, one.name) for one in await Product.offered(found.product_id if found else None)],
        contract=of, subscriptions=[(one.id, one.name) for one in await Service.with_included_hours(of, service)],
        customer=await Customer.find(customer, reader), **again,
    )  # fmt: skip


def _ticked(form: Form | None, facts: ServiceForm | None, typed: dict[str, Any] | None) -> list[str]:
    """Return the ids of the managers who are ticked as approvers on the form of a service.

    After a refusal, the ids are those of the refused form, merged with a colleague's simultaneous change if there was
    one. Without a refused form, the ids are those of the stored service; for a new service there are none.
    """
    if typed and isinstance(merged := typed.get("approvers"), list):
        return merged
    return form.all("approvers") if form is not None else facts.approvers if facts else []


@post("/customers/{customer:int}/contracts/{contract:int}/services/new", guards=[admin_only])
@on_refusal(_service)
async def add_service(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    customer: FromPath[int],
    contract: FromPath[int],
) -> Response[Any]:
    """Create a service with its approvers, and redirect to the customer.

    The first service of a customer becomes the default service of the customer's new cases.
    """
    async with transaction(reader):
        found = await Contract.find(contract, reader, customer=customer)
        facts = form.into(ServiceForm)
        await designate((await Service.create(found, facts, at)).id, facts)
    return see_other(f"/agent/customers/{customer}")


@get("/customers/{customer:int}/contracts/{contract:int}/services/{service:int}", guards=[admin_only])
async def service(
    request: Web,
    reader: NamedDependency[AgentReader],
    customer: FromPath[int],
    contract: FromPath[int],
    service: FromPath[int],
) -> Response[str]:
    """Show the form that changes a service."""
    return await _service(request, reader=reader, customer=customer, contract=contract, service=service)


@post("/customers/{customer:int}/contracts/{contract:int}/services/{service:int}", guards=[admin_only])
@on_refusal(_service)
async def change_service(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    customer: FromPath[int],
    contract: FromPath[int],
    service: FromPath[int],
) -> Response[Any]:
    """Save a changed service and its approvers, and redirect to the customer.

    This recomputes what pays for the customer's open time, that is, approved time on no document yet. Existing time
    entries keep their billable minutes, except open entries whose sum is rounded by day: their minutes are rounded
    again.
    """
    where = {"customer": customer, "contract": contract}
    async with transaction(reader), billing.changing_terms(customer):
        found = await Service.find(service, reader, **where, hold=True)
        facts = edited(form, ServiceForm, await form_of(found))
        await found.change(facts)
        await designate(found.id, facts)
    return see_other(f"/agent/customers/{customer}")


handlers: list[Any] = [
    new_contract, add_contract, contract, change_contract, new_service, add_service, service, change_service,
]  # fmt: skip
