"""Serve the page with the prices of a service and the days from which they apply. Only admins may open it."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal import billing
from portal.agent.setup.pages import form_page
from portal.contracts.contracts import Contract
from portal.contracts.prices.changes import PriceChange, PriceFacts, prices_now
from portal.contracts.services import Service
from portal.database import transaction
from portal.people.customers import Customer
from portal.people.readers import AgentReader
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web


@get("/customers/{customer:int}/contracts/{contract:int}/services/{service:int}/prices", guards=[admin_only])
async def prices(
    request: Web,
    reader: NamedDependency[AgentReader],
    customer: FromPath[int],
    contract: FromPath[int],
    service: FromPath[int],
) -> Response[str]:
    """Show all prices of a service with the days from which they apply, and the form that adds prices."""
    return await _prices(request, reader=reader, customer=customer, contract=contract, service=service)


async def _prices(
    request: Web, *, reader: AgentReader, customer: int, contract: int, service: int, **again: Any
) -> Response[str]:
    found = await Service.find(service, reader, customer=customer, contract=contract)
    return await form_page(
        request, "agent/customers/prices.html", service=found, latest=await prices_now(found),
        contract=await Contract.find(contract, reader, customer=customer),
        customer=await Customer.find(customer, reader), changes=await PriceChange.of(service), **again,
    )  # fmt: skip


@post("/customers/{customer:int}/contracts/{contract:int}/services/{service:int}/prices", guards=[admin_only])
@on_refusal(_prices)
async def change_prices(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    customer: FromPath[int],
    contract: FromPath[int],
    service: FromPath[int],
) -> Response[Any]:
    """Add prices of a service that apply from a given day on, and redirect to the page of the prices.

    This recomputes what pays for the customer's approved time that is on no document yet. Billed fees and approved
    rates do not change.
    """
    async with transaction(reader), billing.changing_terms(customer):
        found = await Service.find(service, reader, customer=customer, contract=contract)
        facts = form.into(PriceFacts)
        await PriceChange.create(found, await Contract.find(contract, reader, customer=customer), facts, at)
    return see_other(_address(customer, contract, service))


@post(
    "/customers/{customer:int}/contracts/{contract:int}/services/{service:int}/prices/{change:int}/removal",
    guards=[admin_only],
)
@on_refusal(_prices)
async def remove_prices(
    reader: NamedDependency[AgentReader],
    customer: FromPath[int],
    contract: FromPath[int],
    service: FromPath[int],
    change: FromPath[int],
) -> Response[Any]:
    """Delete a price change, so that the earlier prices apply again, and redirect to the page of the prices.

    This recomputes what pays for the customer's approved time that is on no document yet.
    """
    async with transaction(reader), billing.changing_terms(customer):
        found = await Service.find(service, reader, customer=customer, contract=contract)
        await (await PriceChange.find(change, found.id)).withdraw()
    return see_other(_address(customer, contract, service))


def _address(customer: int, contract: int, service: int) -> str:
    return f"/agent/customers/{customer}/contracts/{contract}/services/{service}/prices"


handlers: list[Any] = [prices, change_prices, remove_prices]
