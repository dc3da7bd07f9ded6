"""Read what is paid and what is still owed on issued invoices; both are computed, never stored."""

from dataclasses import dataclass

from portal.billing.allocating.book import Row
from portal.billing.documents.invoices import Invoice
from portal.database import current
from portal.people.readers import ContactReader, Reader

FEW = 3
"""The maximum number of unpaid invoices on a contact's home page and on the page of a customer."""


@dataclass(frozen=True, slots=True)
class Unpaid:
    """The unpaid invoices of a customer.

    `count` is the number of all unpaid invoices. `first` has rows for the first of them by due date.
    """

    count: int
    first: list[Row]


NONE = Unpaid(0, [])

_OF = "select gross, payable, paid, credited, open, due_on, currency from invoice_balance where invoice_id = $1"

_OUTSTANDING = """
select currency, sum(open) as open, count(*) filter (where open > 0) as invoices from invoice_balance
where customer_id = $1 and open <> 0 group by currency order by currency
"""

_UNPAID = """
select i.number, b.gross, b.payable, b.paid, b.credited, b.open, b.due_on, b.currency, count(*) over () as total
from invoice_balance b join invoice i on i.id = b.invoice_id
where b.customer_id = $1 and b.open > 0 order by b.due_on, i.id limit $2
"""


async def balance_of(invoice: Invoice) -> Row:
    """Return what is owed on an issued invoice, in the columns gross, payable, paid, credited, open, due_on, currency.

    `open`, the sum still owed, is negative if more was paid than is owed.
    """
    return await current().fetchrow(_OF, invoice.id)


async def outstanding(customer_id: int, reader: Reader) -> list[Row]:
    """Return the sum that a customer owes on all invoices, in one row for each currency.

    Columns: currency, open (the sum owed), invoices (the number of unpaid invoices). What was paid too much on other
    invoices is subtracted from `open`, so `open` can be negative. A currency with neither unpaid nor overpaid invoices
    is left out. Return an empty list for readers who may not see the customer's invoices.
    """
    rows = await current().fetch(_OUTSTANDING, customer_id) if _sees(customer_id, reader) else []
    return [row for row in rows if row["open"] or row["invoices"]]


async def unpaid_of(customer_id: int, reader: Reader, limit: int = FEW) -> Unpaid:
    """Return the number of a customer's unpaid invoices, and the first `limit` of them by due date.

    For readers who may not see the customer's invoices, the number is 0.
    """
    rows = await current().fetch(_UNPAID, customer_id, limit) if _sees(customer_id, reader) else []
    return Unpaid(rows[0]["total"], rows) if rows else NONE


def _sees(customer_id: int, reader: Reader) -> bool:
    """Return whether the reader is a manager, or a contact of the customer with the right to invoices."""
    if isinstance(reader, ContactReader):
        return reader.sees_invoices and reader.customer_id == customer_id
    return reader.is_manager
