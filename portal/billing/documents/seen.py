"""Record and list which contacts have opened an issued invoice, and when."""

from datetime import datetime

from piccolo.columns import BigInt, Timestamptz
from piccolo.table import Table

from portal.billing.allocating.book import Row
from portal.billing.documents.invoices import Invoice
from portal.database import current
from portal.people.readers import ContactReader


class InvoiceSeen(Table, tablename="invoice_seen"):
    """When a contact first opened an issued invoice. The primary key is the invoice and the contact."""

    customer_id = BigInt(default=None)
    invoice_id = BigInt(primary_key=True, default=None)
    contact_id = BigInt(default=None)
    seen_at = Timestamptz(default=None)


async def record_seen(invoice: Invoice, reader: ContactReader, at: datetime) -> None:
    """Record that this contact first opened the invoice at `at`. If this is recorded already, change nothing."""
    seen = InvoiceSeen(customer_id=invoice.customer_id, invoice_id=invoice.id, contact_id=reader.id, seen_at=at)
    await InvoiceSeen.insert(seen).on_conflict(action="DO NOTHING")


async def seen(invoice: Invoice) -> list[Row]:
    """Return a row for each contact who opened the invoice, in the order in which they first opened it.

    Columns: contact_id, name, seen_at.
    """
    return await current().fetch(
        "select s.contact_id, c.name, s.seen_at from invoice_seen s join contact c on c.id = s.contact_id where s.invoice_id = $1 order by s.seen_at",
        invoice.id,
    )
