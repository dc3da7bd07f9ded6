"""Find and list credit notes, and read the contents of a credit note."""

import json
import uuid
from decimal import Decimal
from typing import Any, Self

from piccolo.columns import (
    JSONB,
    UUID,
    BigInt,
    BigSerial,
    Boolean,
    Char,
    Date,
    Integer,
    Numeric,
    SmallInt,
    Text,
    Timestamptz,
)
from piccolo.columns.combination import WhereRaw
from piccolo.query import Objects
from piccolo.table import Table

from portal.billing.allocating.book import Row
from portal.billing.documents import detail
from portal.billing.documents.contents import Contents, with_entries
from portal.billing.documents.invoices import PAGE, DocumentPage, Invoice, listed
from portal.database import current
from portal.database.rows import one
from portal.errors import Conflict
from portal.money import digits_of
from portal.people.readers import ContactReader, Reader, System


class CreditNote(Table, tablename="credit_note"):
    """The correction of an issued invoice. There are no drafts of credit notes.

    All amounts are positive: they are what the customer is credited. `payable` is the amount by which the credit note
    lowers the invoice's sum to pay. `parties` stores, as JSON, the data that `copied` returns. `form_key` identifies
    the form that made the credit note, so that sending the form twice makes only one credit note.
    """

    id: BigSerial = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    invoice_id = BigInt(default=None)
    currency = Char(length=3, default=None)
    net = Numeric(digits=(15, 3), default=None)
    tax = Numeric(digits=(15, 3), default=None)
    gross = Numeric(digits=(15, 3), default=None)
    payable = Numeric(digits=(15, 3), default=Decimal(0))
    reason = Text(default=None)
    series_id = BigInt(default=None)
    series_number = BigInt(default=None)
    number = Text(default=None)
    issued_at = Timestamptz(default=None)
    issued_by_id = BigInt(default=None)
    issue_date = Date(default=None)
    parties = JSONB(default=None)
    form_key = UUID(null=True, default=None)

    @property
    def digits(self) -> int:
        """Return how many decimals the amounts of the credit note have."""
        return digits_of(self.currency)

    @property
    def copied(self) -> dict[str, Any]:
        """Return the data copied when the credit note was issued.

        The keys are `reason`, `corrects`, and the keys of `Invoice.copied`. `corrects` has the `number` and the
        `issue_date` of the invoice.
        """
        parties: dict[str, Any] = json.loads(self.parties)
        return parties

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects[Self]:
        """Return a query of the credit notes that `reader` may see.

        Managers and the system see all credit notes. Contacts with the right to invoices see the credit notes of their
        customer. Other people see none.
        """
        if isinstance(reader, ContactReader):
            own = cls.customer_id == reader.customer_id
            return cls.objects().where(own if reader.sees_invoices else WhereRaw("false"))
        sees = isinstance(reader, System) or reader.is_manager
        return cls.objects().where(WhereRaw("true" if sees else "false"))

    @classmethod
    async def find(cls, number: str, reader: Reader | System) -> Self:
        """Return the credit note with this number if `reader` may see it. Raise `NotFound` otherwise."""
        return await one(cls.visible_to(reader).where(cls.number == number))

    @classmethod
    async def find_issued(cls, note_id: int, reader: Reader | System) -> Self:
        """Return the credit note with this id if `reader` may see it. Raise `NotFound` otherwise."""
        return await one(cls.visible_to(reader).where(cls.id == note_id))

    @classmethod
    async def sent(cls, form_key: uuid.UUID | None, invoice: Invoice) -> Self | None:
        """Return the credit note that the form with this key has made, or None.

        Raise `Conflict` if that credit note corrects another invoice than `invoice`.
        """
        made = await cls.objects().where(cls.form_key == form_key).first() if form_key else None
        if made and made.invoice_id != invoice.id:
            raise Conflict(f"This form was sent before, and made {made.number}.")
        return made


class CreditLine(Table, tablename="credit_line"):
    """One line of a credit note. The primary key is the credit note and the position.

    `line_position` is the corrected line of the invoice, or None for minutes that cost nothing. `freed` says whether
    the fee or the voucher of the line is due again. `unused_from` is the first day whose fee is credited because the
    contract ended, or None. `voucher_minutes` are the minutes that the line removes from a voucher, or None.
    """

    customer_id = BigInt(default=None)
    credit_note_id = BigInt(primary_key=True, default=None)
    position = SmallInt(default=None)
    invoice_id = BigInt(default=None)
    line_position = SmallInt(null=True, default=None)
    kind = Text(default=None)
    service_name = Text(default=None)
    label = Text(default=None)
    minutes = Integer(null=True, default=None)
    unit_price = Numeric(digits=(15, 4), null=True, default=None)
    currency = Char(length=3, default=None)
    net = Numeric(digits=(15, 3), default=None)
    vat_category = Char(length=1, default=None)
    vat_rate = Numeric(digits=(7, 4), default=None)
    exemption_reason = Text(null=True, default=None)
    freed = Boolean(default=False)
    unused_from = Date(null=True, default=None)
    voucher_minutes = Integer(null=True, default=None)


class CreditVat(Table, tablename="credit_vat"):
    """The VAT of a credit note for one category and rate. The primary key is the credit note, category and rate."""

    customer_id = BigInt(default=None)
    credit_note_id = BigInt(primary_key=True, default=None)
    invoice_id = BigInt(default=None)
    category = Char(length=1, default=None)
    rate = Numeric(digits=(7, 4), default=None)
    currency = Char(length=3, default=None)
    base = Numeric(digits=(15, 3), default=None)
    tax = Numeric(digits=(15, 3), default=None)


class CreditedTime(Table, tablename="credited_time"):
    """What a credit note credits of one row of the invoice's time detail. The primary key is the note and the row.

    `freed` says whether the minutes can be billed again; otherwise they are written off.
    """

    customer_id = BigInt(default=None)
    credit_note_id = BigInt(primary_key=True, default=None)
    invoice_id = BigInt(default=None)
    detail_position = Integer(default=None)
    entry_id = BigInt(default=None)
    minutes = Integer(default=None)
    currency = Char(length=3, default=None)
    amount = Numeric(digits=(15, 3), default=None)
    freed = Boolean(default=None)


async def contents_of_credit(note: CreditNote) -> Contents:
    """Return the lines, the VAT and the time detail of a credit note."""
    lines = await CreditLine.select().where(CreditLine.credit_note_id == note.id).order_by(CreditLine.position)
    vat = (
        await CreditVat.select().where(CreditVat.credit_note_id == note.id).order_by(CreditVat.category, CreditVat.rate)
    )
    rows = await detail.copied(credit_note_id=note.id)
    return Contents(with_entries(lines, rows, note.digits), vat, rows)


_LIST = """
select n.number, n.issue_date, n.issued_at, n.gross, n.payable, n.currency, n.customer_id, u.name as customer_name, i.number as invoice,
       n.parties -> 'contract' ->> 'name' as contract_name
from credit_note n join customer u on u.id = n.customer_id join invoice i on i.id = n.invoice_id
where ($1::bigint is null or n.customer_id = $1)
  and ($2::text is null or (n.issued_at, n.id) < (select b.issued_at, b.id from credit_note b where b.number = $2))
order by n.issued_at desc, n.id desc limit $3
"""


async def list_credit_notes(
    reader: Reader, *, customer_id: int | None = None, after: str | None = None, limit: int = PAGE
) -> DocumentPage:
    """Return a page of the credit notes that `reader` may see, newest first, each with the number of its invoice.

    With `customer_id`, only credit notes of that customer are listed. `after` is the cursor: the number of the last
    credit note on the previous page.
    """
    return await listed(_LIST, reader, customer_id, after or None, key="number", limit=limit)


async def credits_of(invoice: Invoice) -> list[Row]:
    """Return the credit notes of an invoice in the order in which they were issued.

    Each row has `number`, `issue_date`, `issued_at`, `gross`, `payable`, `reason`, and the name of the agent
    `issued_by`.
    """
    return await current().fetch(
        "select number, issue_date, issued_at, gross, payable, reason, parties ->> 'issued_by' as issued_by from credit_note"
        " where invoice_id = $1 order by issued_at, id",
        invoice.id,
    )
