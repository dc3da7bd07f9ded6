"""Serve the pages on which a customer's vouchers (prepaid hours) are sold, shown, changed and deleted."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal import billing
from portal.agent.pages import agent_page
from portal.agent.setup.pages import form_page
from portal.contracts.company import Company
from portal.contracts.vouchers import Voucher, VoucherChange, VoucherFacts, services_offered
from portal.database import transaction
from portal.numbers import number_in
from portal.people.customers import Customer
from portal.people.readers import AgentReader
from portal.periods import today
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.notices import reads_notices
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


@get("/customers/{customer:int}/vouchers", guards=[manager_only])
async def list_vouchers(request: Web, reader: NamedDependency[AgentReader], customer: FromPath[int]) -> Response[str]:
    """Show what is left of each voucher of a customer, expired ones included."""
    return await agent_page(
        request, reader, "agent/customers/vouchers.html", customer=await Customer.find(customer, reader),
        balances=await billing.balances(customer), services=await services_offered(customer), day=_day(request),
    )  # fmt: skip


@get("/customers/{customer:int}/vouchers/new", guards=[manager_only])
async def new_voucher(request: Web, reader: NamedDependency[AgentReader], customer: FromPath[int]) -> Response[str]:
    """Show the form that sells a voucher, or records a voucher for hours that were sold elsewhere."""
    return await _new(request, reader=reader, customer=customer)


async def _new(
    request: Web, *, reader: AgentReader, customer: int, form: Form | None = None, **again: Any
) -> Response[str]:
    company = await Company.find()
    return await form_page(
        request, "agent/customers/new_voucher.html", customer=await Customer.find(customer, reader),
        services=await services_offered(customer), ticked=form.all("services") if form else [], day=_day(request),
        currency=company.currency if company else "", **again,
    )  # fmt: skip


@post("/customers/{customer:int}/vouchers/new", guards=[manager_only])
@on_refusal(_new)
async def sell_voucher(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    customer: FromPath[int],
) -> Response[Any]:
    """Sell a voucher, or record one that was sold elsewhere, and redirect to the page of the voucher.

    The voucher pays at once for approved time that is on no document yet.
    """
    async with transaction(reader):
        found = await Customer.find(customer, reader)
        async with billing.changing_terms(customer):
            voucher = await Voucher.sell(found, form.into(VoucherFacts), at)
    return see_other(f"/agent/customers/{customer}/vouchers/{voucher.id}")


@get("/customers/{customer:int}/vouchers/{voucher:int}", guards=[manager_only])
@reads_notices
async def show_voucher(
    request: Web, reader: NamedDependency[AgentReader], customer: FromPath[int], voucher: FromPath[int]
) -> Response[str]:
    """Show what is left of a voucher, and the ledger of the voucher. `?before=` is the ledger's paging cursor."""
    return await _show(request, reader=reader, customer=customer, voucher=voucher)


async def _show(request: Web, *, reader: AgentReader, customer: int, voucher: int, **again: Any) -> Response[str]:
    found = await Voucher.find(voucher, reader, customer=customer)
    before = number_in(request.query_params.get("before"))
    moves, following = await billing.moves_of(voucher, before)
    [balance] = await billing.balances(customer, voucher)
    return await form_page(
        request, "agent/customers/voucher.html", facts=found.facts, voucher=found, balance=balance,
        customer=await Customer.find(customer, reader), moves=moves, following=following, turned=before is not None,
        reserved=await billing.reserved_by(voucher), day=_day(request), **again,
    )  # fmt: skip


@post("/customers/{customer:int}/vouchers/{voucher:int}", guards=[manager_only])
@on_refusal(_show)
async def change_voucher(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    customer: FromPath[int],
    voucher: FromPath[int],
) -> Response[Any]:
    """Save the label and the last day of a voucher, and whether it can be used once it is sold, invoiced or paid.

    Redirect to the voucher.
    """
    async with transaction(reader):
        await Voucher.find(voucher, reader, customer=customer)
        async with billing.changing_terms(customer):
            found = await Voucher.find(voucher, reader, customer=customer, hold=True)
            await found.change(edited(form, VoucherChange, found.facts))
    return see_other(f"/agent/customers/{customer}/vouchers/{voucher}")


@post("/customers/{customer:int}/vouchers/{voucher:int}/removal", guards=[manager_only])
@on_refusal(_show)
async def remove_voucher(
    reader: NamedDependency[AgentReader], customer: FromPath[int], voucher: FromPath[int]
) -> Response[Any]:
    """Delete a voucher, and redirect to the list. Afterwards only the audit log shows that the voucher was sold.

    Raise `Conflict` if the sale of the voucher is billed, or if the voucher has paid for time on a document.
    """
    async with transaction(reader):
        await billing.remove_voucher(customer, await Voucher.find(voucher, reader, customer=customer))
    return see_other(f"/agent/customers/{customer}/vouchers")


def _day(request: Web) -> Any:
    visit: Any = visit_of(request)
    return today(visit.reader.time_zone, visit.at)


handlers: list[Any] = [list_vouchers, new_voucher, sell_voucher, show_voucher, change_voucher, remove_voucher]
