"""`Invoice`: a draft, then issued: numbered and frozen by the database (D37)."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from piccolo.columns import JSONB, BigInt, BigSerial, Char, Date, Numeric, Text, Timestamptz
from piccolo.columns.combination import And, WhereRaw
from piccolo.query import Objects
from piccolo.table import Table

from portal.billing.book import Row
from portal.database import current
from portal.errors import NotFound
from portal.money import digits_of
from portal.people.readers import ContactReader, Reader, System

PAGE = 25
"""Invoices on one page of a list."""


class Invoice(Table, tablename="invoice"):
    """What one contract owes for the work up to a date. Amounts have the currency's decimals; `supply_to` is the last day, included."""

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
    series_id = BigInt(null=True, default=None)
    series_number = BigInt(null=True, default=None)
    number = Text(null=True, default=None)
    issued_at = Timestamptz(null=True, default=None)
    issued_by_id = BigInt(null=True, default=None)
    issue_date = Date(null=True, default=None)
    due_on = Date(null=True, default=None)
    parties = JSONB(null=True, default=None)

    @property
    def is_issued(self) -> bool:
        """Whether it has its number and can never change."""
        return bool(self.state == "issued")

    @property
    def digits(self) -> int:
        """Decimals of its amounts."""
        return digits_of(self.currency)

    @property
    def copied(self) -> dict[str, Any]:
        """Seller, buyer, bank and contract as they were when it was issued: `seller`, `buyer`, `bank`, `contract`, `issued_by`."""
        parties: dict[str, Any] = json.loads(self.parties or "{}")
        return parties

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects[Self]:
        """Managers see all, other agents none; contacts with the right to invoices see what was issued to their customer."""
        if isinstance(reader, ContactReader):
            issued = And(cls.customer_id == reader.customer_id, cls.state == "issued")
            return cls.objects().where(issued if reader.sees_invoices else WhereRaw("false"))
        sees = isinstance(reader, System) or reader.is_manager
        return cls.objects().where(WhereRaw("true" if sees else "false"))

    @classmethod
    async def find(cls, number: str, reader: Reader | System) -> Self:
        """An issued one, by its number. Raises `NotFound`."""
        return _found(await cls.visible_to(reader).where(cls.number == number).first())

    @classmethod
    async def find_draft(cls, draft_id: int, reader: Reader | System) -> Self:
        """A draft, by its id. Raises `NotFound`, also once it is issued."""
        return _found(await cls.visible_to(reader).where(cls.id == draft_id).where(cls.state == "draft").first())

    @classmethod
    async def number_of(cls, draft_id: int, reader: Reader | System) -> str | None:
        """The number that a former draft was issued under; None for one that is a draft still, or is gone."""
        row = await cls.visible_to(reader).where(cls.id == draft_id).where(cls.state == "issued").first()
        return row.number if row else None


def _found(invoice: Any) -> Any:
    if invoice is None:
        raise NotFound
    return invoice


def refuse_without_right(reader: ContactReader) -> None:
    """Without the right to invoices there is nothing at their addresses. Raises `NotFound`."""
    if not reader.sees_invoices:
        raise NotFound


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list; `next_after` is the number or id to go on after, None on the last page."""

    rows: list[Row]
    next_after: str | None

    @classmethod
    def of(cls, rows: list[Row], key: str, limit: int) -> Self:
        """The first `limit` of `rows`, of which one more was fetched to see whether the list goes on; `key` is its column to go on after."""
        return cls(rows[:limit], str(rows[limit - 1][key]) if len(rows) > limit else None)


_LIST = """
select i.number, i.issue_date, i.issued_at, i.due_on, i.net, i.gross, i.currency, i.supply_from, i.supply_to, i.customer_id,
       u.name as customer_name, i.parties -> 'contract' ->> 'name' as contract_name
from invoice i join customer u on u.id = i.customer_id
where i.state = 'issued' and ($1::bigint is null or i.customer_id = $1)
  and ($2::text is null or (i.issued_at, i.id) < (select b.issued_at, b.id from invoice b where b.number = $2))
order by i.issued_at desc, i.id desc limit $3
"""


async def listed(sql: str, reader: Reader, customer_id: int | None, after: object, *, key: str, limit: int) -> Page:
    """A page of documents by `sql` ($1 customer or null, $2 where to go on, $3 how many), of those that `reader` may see.

    Contacts with the right to invoices see their own customer's whatever `customer_id` says, managers all, others none.
    """
    if isinstance(reader, ContactReader):
        sees, customer_id = reader.sees_invoices, reader.customer_id
    else:
        sees = reader.is_manager
    return Page.of(await current().fetch(sql, customer_id, after, limit + 1) if sees else [], key, limit)


async def list_issued(
    reader: Reader, *, customer_id: int | None = None, after: str | None = None, limit: int = PAGE
) -> Page:
    """Issued invoices that `reader` may see, newest first; those of a contact's own customer whatever `customer_id` says."""
    return await listed(_LIST, reader, customer_id, after or None, key="number", limit=limit)


async def latest(reader: ContactReader, limit: int = 3) -> list[Row]:
    """The newest invoices of a contact's customer, for the home page; none without the right to them."""
    return (await list_issued(reader, limit=limit)).rows


_DRAFTS = """
select * from (
  select i.id, i.until, i.net, i.gross, i.currency, i.supply_from, i.supply_to, i.customer_id, u.name as customer_name,
         t.name as contract_name, r.run_at, count(*) over () as total
  from invoice i join customer u on u.id = i.customer_id join contract t on t.id = i.contract_id join billing_run r on r.id = i.run_id
  where i.state = 'draft' and ($1::bigint is null or i.customer_id = $1)) d
where $2::bigint is null
   or (folded(customer_name), id) > (select folded(u.name), b.id from invoice b join customer u on u.id = b.customer_id where b.id = $2)
order by folded(customer_name), id limit $3
"""


async def list_drafts(
    reader: Reader, *, customer_id: int | None = None, after: str | None = None, limit: int = PAGE
) -> Page:
    """Drafts by customer, each with the `total` of all; managers only. `after` is the id of the last one of the page before."""
    if isinstance(reader, ContactReader) or not reader.is_manager:
        return Page([], None)
    known = int(after) if after and after.isascii() and after.isdigit() and len(after) < 19 else None
    return Page.of(await current().fetch(_DRAFTS, customer_id, known, limit + 1), "id", limit)


async def record_seen(invoice: Invoice, reader: ContactReader, at: datetime) -> None:
    """Remember when a contact first opened it; the only thing that reading an invoice changes."""
    await current().execute(
        "insert into invoice_seen (customer_id, invoice_id, contact_id, seen_at) values ($1, $2, $3, $4) on conflict do nothing",
        invoice.customer_id, invoice.id, reader.id, at,
    )  # fmt: skip


async def seen(invoice: Invoice) -> list[Row]:
    """Who of the customer opened it, and when first."""
    return await current().fetch(
        "select s.contact_id, c.name, s.seen_at from invoice_seen s join contact c on c.id = s.contact_id where s.invoice_id = $1 order by s.seen_at",
        invoice.id,
    )
