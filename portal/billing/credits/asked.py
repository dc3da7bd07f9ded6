"""Find the time that a contact asks about. Contacts see time on an invoice, a statement, or the page Hours."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from portal.billing.documents import detail
from portal.billing.documents.detail import DetailRow
from portal.billing.documents.invoices import Invoice
from portal.billing.documents.statements import Statement
from portal.billing.usage.entries import cover_words
from portal.database import current
from portal.errors import NotFound
from portal.fields import in_range
from portal.people.readers import ContactReader


@dataclass(frozen=True, slots=True)
class AskedTime:
    """Time of one entry that a contact may ask about.

    `place` names the document on which the contact sees the time, such as `invoice 2026-0001`. It is "" if the contact
    sees the time on the page Hours. `invoice_id` and `position` identify the row of an invoice's time detail; both are
    None if the time is not on an invoice. `amount` is None unless the time is on an invoice, because statements and the
    page Hours show no prices. `covered_by` says in words what pays for the time.
    """

    customer_id: int
    entry_id: int
    case_number: int | None
    work_date: date
    minutes: int
    service_name: str
    external_comment: str
    covered_by: str
    currency: str = ""
    amount: Decimal | None = None
    place: str = ""
    invoice_id: int | None = None
    position: int | None = None

    @property
    def words(self) -> str:
        """Return the external comment of the entry, or the name of the service if there is no comment."""
        return self.external_comment or self.service_name


async def time_on_invoice(invoice: Invoice, position: int) -> AskedTime:
    """Return the time in the row at `position` of an invoice's time detail, for a question about it.

    Raise `NotFound` if there is no such row, or if the row is not for time.
    """
    rows = await detail.copied(invoice_id=invoice.id, position=in_range(position, bits=31))
    return _asked(rows, invoice.customer_id, f"invoice {invoice.number}", invoice.id)


async def time_on_statement(statement: Statement, position: int) -> AskedTime:
    """Return the time in the row at `position` of a statement's time detail, for a question about it.

    Raise `NotFound` if there is no such row, or if the row is not for time.
    """
    rows = await detail.copied(statement_id=statement.id, position=in_range(position, bits=31))
    return _asked(rows, statement.customer_id, f"the statement up to {statement.until:%-d %b %Y}")


def _asked(rows: list[DetailRow], customer_id: int, place: str, invoice_id: int | None = None) -> AskedTime:
    row = next(iter(rows), None)
    if row is None or row.entry_id is None or row.work_date is None:
        raise NotFound
    return AskedTime(
        customer_id=customer_id, entry_id=row.entry_id, case_number=row.case_number, work_date=row.work_date, minutes=row.minutes or 0,
        service_name=row.service_name, external_comment=row.external_comment, covered_by=row.covered_by, place=place,
        currency=row.currency, amount=row.amount if invoice_id else None, invoice_id=invoice_id,
        position=row.position if invoice_id else None,
    )  # fmt: skip


async def time_in_hours(entry_id: int, reader: ContactReader) -> AskedTime:
    """Return the time of an approved entry of the reader's customer. Raise `NotFound` for any other entry."""
    row = await current().fetchrow(
        "select * from approved_time where id = $1 and customer_id = $2", in_range(entry_id), reader.customer_id
    )
    if row is None:
        raise NotFound
    return AskedTime(
        customer_id=row["customer_id"], entry_id=row["id"], case_number=row["case_number"], work_date=row["work_date"],
        minutes=row["minutes"], service_name=row["service_name"], external_comment=row["external_comment"],
        covered_by=cover_words(row["kinds"]),
    )  # fmt: skip
