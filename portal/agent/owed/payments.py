"""Serve the form that records a payment of an issued invoice, and the button that cancels a payment."""

from datetime import datetime
from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.invoices import invoice_page
from portal.billing import Invoice, PaymentFacts, record_payment, take_payment_back
from portal.database import transaction
from portal.people.readers import AgentReader
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.pages import on_refusal, see_other


@post("/invoices/{number:str}/payments", guards=[manager_only])
@on_refusal(invoice_page)
async def record(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    number: FromPath[str],
) -> Response[Any]:
    """Record money that was received for an invoice, or paid back to its customer, and redirect to the invoice."""
    async with transaction(reader):
        invoice = await Invoice.find(number, reader)
        await record_payment(invoice, form.into(PaymentFacts), by=reader, at=at, form_key=form.key)
    return see_other(f"/agent/invoices/{number}#payments")


@post("/invoices/{number:str}/payments/{payment_id:int}/removal", guards=[manager_only])
@on_refusal(invoice_page)
async def take_back(
    reader: NamedDependency[AgentReader],
    at: NamedDependency[datetime],
    number: FromPath[str],
    payment_id: FromPath[int],
) -> Response[Any]:
    """Cancel a payment that was recorded by mistake, and redirect to the invoice.

    The payment no longer counts. The page still shows the payment, and who cancelled it.
    """
    async with transaction(reader):
        await take_payment_back(await Invoice.find(number, reader), payment_id, by=reader, at=at)
    return see_other(f"/agent/invoices/{number}#payments")


handlers: list[Any] = [record, take_back]
