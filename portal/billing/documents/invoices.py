"""Invoices: drafts at first, issued later. An issued invoice has a number and can no longer change (D37)."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from piccolo.columns import JSONB, UUID, BigInt, BigSerial, Char, Date, Integer, Numeric, SmallInt, Text, Timestamptz
from piccolo.columns.combination import And, WhereRaw
from piccolo.query import Objects
from piccolo.table import Table

from portal.billing.allocating.book import Row
from portal.database import current
from portal.errors import Invalid, NotFound
from portal.money import digits_of
from portal.numbers import number_in
from portal.people.readers import ContactReader, Reader, System

PAGE = 25
"""The maximum number of invoices on one page of a list."""


class Invoice(Table, tablename="invoice"):
    """What the customer owes under one contract for work and fees up to the day before `until`.

    An invoice is a draft at first and is issued later. `supply_from` and `supply_to` are the first and the last day of
    the period of supply. `payable` is the gross sum, rounded to a multiple of the coin `cash_rounding` unless that is
    None: with 0.05, 73.38 becomes 73.40. The columns from `series_id` to `parties` are None until the invoice is
    issued; `parties` stores, as JSON, the data that `copied` returns. `note` is printed as a note to the customer. The
    database refuses every change to an issued invoice (D37).
    """

    id: BigSerial = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    contract_id = BigInt(default=None)
    run_id = BigInt(default=None)
    state = Text(default=None)
    until = Date(default=None)
    currency = Char(length=3, default=None)
    supply_from = Date(default=None)
    supply_to = Date(default=None)
    net = Numeric(digits=(15, 3), default=None)
    tax = Numeric(digits=(15, 3), default=None)
    gross = Numeric(digits=(15, 3), default=None)
    cash_rounding = Numeric(digits=(15, 3), null=True, default=None)
    payable = Numeric(digits=(15, 3), default=Decimal(0))
    series_id = BigInt(null=True, default=None)
    series_number = BigInt(null=True, default=None)
    number = Text(null=True, default=None)
    issued_at = Timestamptz(null=True, default=None)
    issued_by_id = BigInt(null=True, default=None)
    issue_date = Date(null=True, default=None)
    due_on = Date(null=True, default=None)
    parties = JSONB(null=True, default=None)
    note = Text(null=True, default=None)

    @property
    def is_issued(self) -> bool:
        """Return whether the invoice is issued: it has a number and can no longer change."""
        return bool(self.state == "issued")

    @property
    def digits(self) -> int:
        """Return how many decimals the amounts of the invoice have."""
        return digits_of(self.currency)

    @property
    def copied(self) -> dict[str, Any]:
        """Return the data copied when the invoice was issued, by the keys that `issuing.parties_of` sets.

        The keys are `seller`, `buyer`, `bank`, `contract`, `issued_by` and `time_zone`. For a draft, return {}.
        """
        parties: dict[str, Any] = json.loads(self.parties or "{}")
        return parties

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects[Self]:
        """Return a query of the invoices that `reader` may see.

        Managers and the system see all invoices, other agents none. A contact with the right to invoices sees the
        issued invoices of their customer.
        """
        if isinstance(reader, ContactReader):
            issued = And(cls.customer_id == reader.customer_id, cls.state == "issued")
            return cls.objects().where(issued if reader.sees_invoices else WhereRaw("false"))
        sees = isinstance(reader, System) or reader.is_manager
        return cls.objects().where(WhereRaw("true" if sees else "false"))

    @classmethod
    async def find(cls, number: str, reader: Reader | System) -> Self:
        """Return the issued invoice with this number if `reader` may see it. Raise `NotFound` otherwise."""
        return _found(await cls.visible_to(reader).where(cls.number == number).first())

    @classmethod
    async def find_issued(cls, invoice_id: int, reader: Reader | System) -> Self:
        """Return the issued invoice with this id if `reader` may see it. Raise `NotFound` otherwise."""
        return _found(await cls.visible_to(reader).where(cls.id == invoice_id).where(cls.state == "issued").first())

    @classmethod
    async def find_draft(cls, draft_id: int, reader: Reader | System) -> Self:
        """Return the draft with this id if `reader` may see it.

        Raise `NotFound` otherwise, for example if the draft has been issued.
        """
        return _found(await cls.visible_to(reader).where(cls.id == draft_id).where(cls.state == "draft").first())

    @classmethod
    async def number_of(cls, draft_id: int, reader: Reader | System) -> str | None:
        """Return the number under which a draft was issued, or None if it is still a draft or was deleted.

        Return None as well if `reader` may not see the invoice.
        """
        row = await cls.visible_to(reader).where(cls.id == draft_id).where(cls.state == "issued").first()
        return row.number if row else None


class InvoiceLine(Table, tablename="invoice_line"):
    """One line of an invoice. `minutes` is None on a line that is not for time.

    On a line for a fee, `period_start` is the first day of the billing period, and `active_from` and `active_to` are
    the first and the last day that the fee pays for. On a line for a voucher, `voucher_id` is the voucher. These
    columns are None on other lines. `product_id` is the product of the price list that a line added by hand charges, or
    None.
    """

    id = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    invoice_id = BigInt(default=None)
    position = Integer(default=None)
    kind = Text(default=None)
    service_id = BigInt(default=None)
    service_name = Text(default=None)
    label = Text(default=None)
    minutes = Integer(null=True, default=None)
    unit_price = Numeric(digits=(15, 4), null=True, default=None)
    currency = Char(length=3, default=None)
    net = Numeric(digits=(15, 3), default=None)
    vat_category = Char(length=1, default=None)
    vat_rate = Numeric(digits=(7, 4), default=None)
    exemption_reason = Text(null=True, default=None)
    product_id = BigInt(null=True, default=None)
    period_start = Date(null=True, default=None)
    active_from = Date(null=True, default=None)
    active_to = Date(null=True, default=None)
    voucher_id = BigInt(null=True, default=None)


class LineAllocation(Table, tablename="line_allocation"):
    """An allocation that is part of an invoice line; no allocation is on two lines."""

    allocation_id = BigInt(primary_key=True, default=None)
    customer_id = BigInt(default=None)
    invoice_id = BigInt(default=None)
    line_id = BigInt(default=None)


class InvoiceVat(Table, tablename="invoice_vat"):
    """The VAT of an invoice for one category and rate. The primary key is the invoice, the category and the rate."""

    customer_id = BigInt(default=None)
    invoice_id = BigInt(primary_key=True, default=None)
    category = Char(length=1, default=None)
    rate = Numeric(digits=(7, 4), default=None)
    currency = Char(length=3, default=None)
    base = Numeric(digits=(15, 3), default=None)
    tax = Numeric(digits=(15, 3), default=None)


class SettledEntry(Table, tablename="settled_entry"):
    """A part of a time entry that a draft, an invoice or a statement has settled.

    Exactly one of `invoice_id` and `statement_id` is set. Part 0 is the whole entry. If a credit note or a correcting
    statement makes minutes billable again, they are settled later as a further part. The primary key is the entry and
    the part.
    """

    entry_id = BigInt(primary_key=True, default=None)
    part = SmallInt(default=0)
    customer_id = BigInt(default=None)
    invoice_id = BigInt(null=True, default=None)
    statement_id = UUID(null=True, default=None)


def _found(invoice: Any) -> Any:
    if invoice is None:
        raise NotFound
    return invoice


def refuse_without_right(reader: ContactReader) -> None:
    """Raise `NotFound` for a contact without the right to invoices, as if the page did not exist."""
    if not reader.sees_invoices:
        raise NotFound


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """One page of a list of documents.

    `next_after` is the cursor of the next page (the number or id of the last row), or None on the last page.
    """

    rows: list[Row]
    next_after: str | None

    @classmethod
    def of(cls, rows: list[Row], key: str, limit: int) -> Self:
        """Return a page of the first `limit` rows.

        The caller fetches one row more than `limit`, so that this method can tell whether another page follows. `key`
        is the column that holds the cursor.
        """
        return cls(rows[:limit], str(rows[limit - 1][key]) if len(rows) > limit else None)


def id_of_cursor(text: str | None) -> int | None:
    """Return the id in a cursor from a URL. If the text is not an id, return None, which leads to the first page."""
    return number_in(text)


_LIST = """
select i.number, i.issue_date, i.issued_at, i.due_on, i.net, i.gross, i.payable, i.currency, i.supply_from, i.supply_to, i.customer_id,
       u.name as customer_name, i.parties -> 'contract' ->> 'name' as contract_name, b.paid, b.credited, b.open
from invoice i join customer u on u.id = i.customer_id join invoice_balance b on b.invoice_id = i.id
where i.state = 'issued' and ($1::bigint is null or i.customer_id = $1) and (b.open > 0 or not $4)
  and ($2::text is null or (i.issued_at, i.id) < (select b.issued_at, b.id from invoice b where b.number = $2))
order by i.issued_at desc, i.id desc limit $3
"""


async def listed(
    sql: str, reader: Reader, customer_id: int | None, after: object, *more: object, key: str, limit: int
) -> DocumentPage:
    """Return a page of the documents that `reader` may see, read by the query `sql`.

    The parameters of the query are the id of a customer or null (`$1`), the cursor `after` (`$2`), the limit plus 1
    (`$3`), and the values of `more`. A contact with the right to invoices sees the documents of their own customer,
    whatever `customer_id` is. Managers see all documents, or only documents of `customer_id`; other readers see none.
    `key` is the column that holds the cursor.
    """
    if isinstance(reader, ContactReader):
        sees, customer_id = reader.sees_invoices, reader.customer_id
    else:
        sees = reader.is_manager
    rows = await current().fetch(sql, customer_id, after, limit + 1, *more) if sees else []
    return DocumentPage.of(rows, key, limit)


async def list_issued(
    reader: Reader,
    *,
    customer_id: int | None = None,
    after: str | None = None,
    unpaid: bool = False,
    limit: int = PAGE,
) -> DocumentPage:
    """Return a page of the issued invoices that `reader` may see, newest first, with what is paid and still owed.

    With `customer_id`, only invoices of that customer are listed. With `unpaid`, only invoices on which something is
    still owed are listed. With `unpaid`, the query computes what is owed on each invoice, so set it only with
    `customer_id` or for a contact. `after` is the cursor: the number of the last invoice on the previous page.
    """
    return await listed(_LIST, reader, customer_id, after or None, unpaid, key="number", limit=limit)


async def latest(reader: ContactReader, limit: int = 3) -> list[Row]:
    """Return the newest issued invoices of a contact's customer; none if the contact lacks the right to invoices."""
    return (await list_issued(reader, limit=limit)).rows


_DRAFTS = """
select * from (
  select i.id, i.contract_id, i.until, i.net, i.gross, i.payable, i.currency, i.supply_from, i.supply_to, i.customer_id, u.name as customer_name,
         t.name as contract_name, r.run_at, count(*) over () as total
  from invoice i join customer u on u.id = i.customer_id join contract t on t.id = i.contract_id join billing_run r on r.id = i.run_id
  where i.state = 'draft' and ($1::bigint is null or i.customer_id = $1)) d
where $2::bigint is null
   or (folded(customer_name), id) > (select folded(u.name), b.id from invoice b join customer u on u.id = b.customer_id where b.id = $2)
order by folded(customer_name), id limit $3
"""


async def list_drafts(
    reader: Reader, *, customer_id: int | None = None, after: str | None = None, limit: int = PAGE
) -> DocumentPage:
    """Return a page of the drafts, sorted by the name of the customer; readers who are not managers get an empty page.

    With `customer_id`, only drafts of that customer are listed. The column `total` of each row is the number of drafts
    on all pages. `after` is the cursor: the id of the last draft on the previous page.
    """
    if isinstance(reader, ContactReader) or not reader.is_manager:
        return DocumentPage([], None)
    rows = await current().fetch(_DRAFTS, customer_id, id_of_cursor(after), limit + 1)
    return DocumentPage.of(rows, "id", limit)


@dataclass(frozen=True, slots=True, order=True)
class DraftChoice:
    """A draft that somebody ticked, with the sum to pay that the list showed (`seen`).

    If `contract_id` is known, `draft_names` can describe the draft even after its deletion.
    """

    draft_id: int
    contract_id: int | None
    seen: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the choice from the value of a tick box, `draft.contract.sum`.

        Raise `Invalid` if the text does not begin with a number, the id of the draft.
        """
        draft, _, rest = text.partition(".")
        contract, _, seen = rest.partition(".")
        draft_id = number_in(draft)
        if draft_id is None:
            raise Invalid({"draft": "Tick drafts in the list."})
        return cls(draft_id, number_in(contract), seen)


async def draft_names(choices: Collection[DraftChoice], reader: Reader) -> dict[int, str]:
    """Return "customer, contract" as the name of each chosen draft, by the draft's id.

    A deleted draft is included if its choice has the contract. Readers who are not managers get an empty dictionary.
    """
    if isinstance(reader, ContactReader) or not reader.is_manager:
        return {}
    rows = await current().fetch(
        "select d.id, u.name || ', ' || t.name as name from unnest($1::bigint[], $2::bigint[]) as d (id, contract_id)"
        " left join invoice i on i.id = d.id"
        " join contract t on t.id = coalesce(i.contract_id, d.contract_id) join customer u on u.id = t.customer_id",
        [choice.draft_id for choice in choices],
        [choice.contract_id for choice in choices],
    )
    return {row["id"]: row["name"] for row in rows}
