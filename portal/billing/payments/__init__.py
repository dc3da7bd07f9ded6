"""Record the payments of issued invoices, and cancel payments that were recorded by mistake.

A payment is never deleted. What is paid, and what is still owed, is computed from the payments (`balances`).
"""

import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct
from piccolo.columns import UUID, BigInt, BigSerial, Char, Date, Numeric, Text, Timestamptz
from piccolo.table import Table

from portal import outbox
from portal.billing.allocating.allocations import reallocate_sold
from portal.billing.allocating.book import Row
from portal.billing.documents.invoices import Invoice
from portal.billing.locks import lock_customers
from portal.contracts.company import Company
from portal.database import current
from portal.database.rows import one
from portal.errors import Forbidden, Invalid
from portal.fields import LONGEST, Checked, day, in_range, one_line, one_of
from portal.money import parse_money
from portal.people.readers import AgentReader, ContactReader, Reader
from portal.periods import today

RECEIVED, PAID_BACK = "received", "paid_back"
DIRECTIONS = ((RECEIVED, "Received"), (PAID_BACK, "Paid back to the customer"))
"""The directions of a payment that the form offers: the value and its words."""


class PaymentFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a payment, as typed.

    `again` is "yes" to record the payment although a payment of the same day, amount and reference is recorded already.
    """

    amount: str
    paid_on: str
    reference: str = ""
    direction: str = RECEIVED
    again: str = ""
    form_key: str = ""


class Payment(Table, tablename="payment"):
    """Money that was received for an invoice, or paid back (`amount` is negative), in the invoice's currency.

    A payment counts as long as `taken_back_at` is None. Setting `taken_back_at` cancels the payment. The database
    refuses every other change.
    """

    id: BigSerial = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    invoice_id = BigInt(default=None)
    currency = Char(length=3, default=None)
    amount = Numeric(digits=(15, 3), default=None)
    paid_on = Date(default=None)
    reference = Text(default=None)
    form_key = UUID(null=True, default=None)
    recorded_at = Timestamptz(default=None)
    recorded_by_id = BigInt(default=None)
    taken_back_at = Timestamptz(null=True, default=None)
    taken_back_by_id = BigInt(null=True, default=None)


async def record(
    invoice: Invoice, facts: PaymentFacts, *, by: AgentReader, at: datetime, form_key: uuid.UUID | None = None
) -> None:
    """Record a payment of an issued invoice, and write the change to the outbox.

    A voucher that the invoice sells may become usable, so the allocations of open time (approved time that no document
    has settled) are recomputed. The customer is locked until the transaction ends. Sending the same `form_key` again
    changes nothing. Raise `Invalid` if a field is bad (each bad field gets an error message), or if more would be paid
    back than was received. Raise `Invalid` also if a payment with the same day, amount and reference is recorded
    already, unless `facts.again` is "yes". Raise `Forbidden` if `by` is not a manager.
    """
    await _lock(invoice, by)
    if form_key and await Payment.exists().where(Payment.form_key == form_key):
        return
    values = await _checked(invoice, facts, at)
    [payment] = await Payment.insert(
        Payment(
            customer_id=invoice.customer_id, invoice_id=invoice.id, currency=invoice.currency, form_key=form_key,
            recorded_at=at, recorded_by_id=by.id, **values,
        )
    )  # fmt: skip
    await reallocate_sold(invoice.id)
    await _tell(invoice, by, at, payment["id"])


async def take_back(invoice: Invoice, payment_id: int, *, by: AgentReader, at: datetime) -> None:
    """Cancel a payment of the invoice, so that it no longer counts, and record who cancelled it and when.

    As in `record`, allocations are recomputed and the change is written to the outbox. Cancelling a payment again
    changes nothing. Raise `NotFound` if the invoice has no such payment, `Invalid` if more would have been paid back
    than was received, `Forbidden` if `by` is not a manager.
    """
    await _lock(invoice, by)
    query = Payment.objects().where((Payment.id == in_range(payment_id)) & (Payment.invoice_id == invoice.id))
    payment = await one(query)
    if payment.taken_back_at:
        return
    if await _received(invoice) - payment.amount < 0:
        raise Invalid({"": "Part of this money was paid back. Take that back first."})
    await Payment.update(taken_back_at=at, taken_back_by_id=by.id).where(Payment.id == payment.id)
    await reallocate_sold(invoice.id)
    await _tell(invoice, by, at)


async def payments_of(invoice: Invoice, reader: Reader) -> list[Row]:
    """Return the payments of an invoice in the order in which the money moved.

    Contacts get `id`, `amount`, `currency` and `paid_on` of the payments that count. Agents get all payments, with the
    reference, who recorded and who cancelled each payment, and when.
    """
    if isinstance(reader, ContactReader):
        return await current().fetch(
            "select id, amount, currency, paid_on from payment where invoice_id = $1 and taken_back_at is null order by paid_on, id",
            invoice.id,
        )
    return await current().fetch(
        "select p.id, p.amount, p.currency, p.paid_on, p.reference, p.recorded_at, a.name as recorded_by, p.taken_back_at,"
        " b.name as taken_back_by from payment p join agent a on a.id = p.recorded_by_id"
        " left join agent b on b.id = p.taken_back_by_id where p.invoice_id = $1 order by p.paid_on, p.id",
        invoice.id,
    )


async def _lock(invoice: Invoice, by: AgentReader) -> None:
    """Lock the invoice's customer until the transaction ends. Raise `Forbidden` if `by` is not a manager.

    Approvals, billing runs and issuing take the same lock, so none of them runs while a payment changes.
    """
    if not by.is_manager:
        raise Forbidden("Only managers may record payments.")
    await lock_customers([invoice.customer_id])


async def _checked(invoice: Invoice, facts: PaymentFacts, at: datetime) -> dict[str, Any]:
    """Return the columns of a payment from its form. Raise `Invalid` as `record` does. The customer must be locked."""
    checked = Checked()
    amount = checked("amount", lambda text: _amount(text, invoice.digits), facts.amount)
    paid_on = checked("paid_on", day, facts.paid_on)
    direction = checked("direction", one_of((RECEIVED, PAID_BACK)), facts.direction)
    reference = one_line(facts.reference)
    if len(reference) > LONGEST:
        checked.refuse("reference", f"Use at most {LONGEST} characters.")
    if paid_on and paid_on > today((await Company.needed()).time_zone, at):
        checked.refuse("paid_on", "This day is not over yet: record a payment once the money has moved.")
    checked.done()
    if direction == PAID_BACK:
        amount = -amount
        if await _received(invoice) + amount < 0:
            raise Invalid({"amount": "This is more than was received for this invoice."})
    if facts.again != "yes" and await _is_recorded(invoice, amount, paid_on, reference):
        raise Invalid(
            {"again": "A payment with this day, amount and reference is recorded already. Is this another one?"}
        )
    return {"amount": amount, "paid_on": paid_on, "reference": reference}


def _amount(text: str, digits: int) -> Decimal:
    amount = parse_money(text, digits)
    if not amount:
        raise ValueError("Write the amount that was paid.")
    return amount


async def _received(invoice: Invoice) -> Decimal:
    """Return the sum of the payments that count, less what was paid back."""
    paid: Decimal = await current().fetchval("select paid from invoice_balance where invoice_id = $1", invoice.id)
    return paid


async def _is_recorded(invoice: Invoice, amount: Decimal, paid_on: date, reference: str) -> bool:
    return await Payment.exists().where(
        (Payment.invoice_id == invoice.id) & (Payment.amount == amount) & (Payment.paid_on == paid_on),
        Payment.reference == reference,
        Payment.taken_back_at.is_null(),
    )


async def _tell(invoice: Invoice, by: AgentReader, at: datetime, payment_id: int | None = None) -> None:
    """Write to the outbox that the sum owed has changed. `payment_id` is the id of a new payment, for its notice."""
    await outbox.tell(
        kind="invoice.paid",
        subject_id=invoice.id,
        customer_id=invoice.customer_id,
        contact_may_know=True,
        actor=by,
        at=at,
        record_id=payment_id,
    )
