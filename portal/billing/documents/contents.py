"""Read what an invoice contains, for pages and the PDF: its lines, the time entries behind each line, and the VAT."""

import asyncio
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

from portal.billing.allocating.book import Row
from portal.billing.documents import detail
from portal.billing.documents.detail import DetailRow
from portal.billing.documents.invoices import Invoice, InvoiceLine, InvoiceVat
from portal.billing.documents.quantity import printed_hours
from portal.billing.engine import LineKind
from portal.billing.sentences import COVERED_BY
from portal.database import current
from portal.money import hourly_amount
from portal.numbers import number_in
from portal.render import formats


def line_words(line: Row) -> str:
    """Return the printed name of a line of an invoice: service name and label, such as "Network care, Consultant".

    The name is the label alone if the label begins with the name of the service, or if the line is for a voucher or was
    added by hand.
    """
    return _words(line["kind"], line["label"], line["service_name"])


def _words(kind: str, label: str, service_name: str) -> str:
    """Return the printed name of a line (`line_words`)."""
    alone = kind in (LineKind.VOUCHER, LineKind.EXTRA) or label.startswith(service_name)
    return label if alone else f"{service_name}, {label}"


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """One line of an invoice as it is printed.

    - `kind`: a member of `LineKind`.
    - `minutes`: the printed minutes; None on a line that is not for time.
    - `quantity`: the hours that give the amount when multiplied by the price (`printed_hours`); 1 on a line that is not
      for time.
    - `unit_price`: None if the entries of the line have different rates, if one has a fixed fee, or if nothing is
      charged.
    - `rounding`: why the amount is not minutes times price; "" if it is.
    - `entries`: the rows of the time detail that belong to the line.
    """

    position: int
    kind: str
    label: str
    service_name: str
    minutes: int | None
    quantity: Decimal
    unit_price: Decimal | None
    vat_category: str
    vat_rate: Decimal
    exemption_reason: str | None
    net: Decimal
    rounding: str
    entries: tuple[DetailRow, ...]

    @property
    def words(self) -> str:
        """Return the printed name of the line (`line_words`)."""
        return _words(self.kind, self.label, self.service_name)

    @property
    def case_count(self) -> int:
        """Return how many different cases the entries of the line belong to."""
        return len({row.case_number for row in self.entries if row.case_number is not None})

    @property
    def instead_of_price(self) -> str:
        """Return what is printed in place of a missing unit price on a line for time.

        This is a dash if nothing is charged, "fixed fee" if every charged row has one, otherwise `VARIOUS`.
        """
        charged = [row for row in self.entries if row.is_charged]
        if not charged:
            return formats.NOTHING
        return COVERED_BY["fixed_fee"] if all(row.has_fixed_fee for row in charged) else VARIOUS

    @property
    def fees(self) -> list[DetailRow]:
        """Return the rows of the line's entries that cost a fixed fee."""
        return [row for row in self.entries if row.has_fixed_fee]

    @property
    def rates(self) -> list[tuple[str, Decimal]]:
        """Return the distinct pairs of role and hourly rate of the line's entries, in the order of the entries."""
        pairs = [(row.performed_by, row.hourly_rate) for row in self.entries if row.hourly_rate is not None]
        return list(dict.fromkeys(pairs))


VARIOUS = "various rates"
"""What is printed instead of the unit price of a line whose entries have different rates (C11)."""
SHOWN = 100
"""The maximum number of lines, and of rows of the time detail, on one page of a document."""
EXPLAINED = 50
"""The maximum number of time entries that explain the amount of one line on a page of a document."""

CENTS = 2
"""In texts, the smallest unit of a currency with this number of decimals is called a cent."""

Placed = TypeVar("Placed", PrintedLine, DetailRow)


@dataclass(frozen=True, slots=True)
class Part(Generic[Placed]):
    """A page of the lines of a document or of the rows of its time detail, sorted by position.

    `first` is the number of the first row in the list of all `total` rows, counted from 1. `next_after` is the cursor
    of the next page (the position of the last row), or None on the last page.
    """

    rows: Sequence[Placed]
    total: int
    first: int
    next_after: int | None

    @property
    def is_all(self) -> bool:
        """Return whether this page has all rows."""
        return len(self.rows) == self.total


def part_of(rows: Sequence[Placed], after: str | None) -> Part[Placed]:
    """Return a page of at most `SHOWN` of the rows, which are sorted by position.

    `after` is the cursor: the position of the last row on the previous page. If it is not a number, or if no row
    follows it, return the first page.
    """
    begin = bisect_right(rows, number_in(after) or 0, key=lambda row: row.position)
    begin = begin if begin < len(rows) else 0  # The rows behind the cursor may have been removed from a draft.
    shown = rows[begin : begin + SHOWN]
    more = begin + SHOWN < len(rows)
    return Part(shown, len(rows), begin + 1, shown[-1].position if more else None)


@dataclass(frozen=True, slots=True)
class Contents:
    """The lines of an invoice or a credit note, its VAT amounts by rate, and all rows of its time detail."""

    lines: tuple[PrintedLine, ...]
    vat: list[Row]
    detail: list[DetailRow]

    @property
    def charged_count(self) -> int:
        """Return how many different time entries of the document are charged, wholly or in part."""
        return len({row.entry_id for row in self.detail if row.entry_id is not None and row.is_charged})

    @property
    def time(self) -> list[DetailRow]:
        """Return the rows of the time detail that are for time.

        The other rows, for fees and vouchers, are left out, because the lines of the document show them already.
        """
        return [row for row in self.detail if row.minutes is not None]

    @property
    def covered(self) -> list[DetailRow]:
        """Return the rows for time that is not charged: it is included, prepaid or at no charge."""
        return [row for row in self.detail if row.entry_id is not None and not row.is_charged]

    @property
    def exemptions(self) -> list[str]:
        """Return the reasons why lines bear no VAT, each reason once (D42)."""
        return list(dict.fromkeys(line.exemption_reason for line in self.lines if line.exemption_reason))


async def contents_of(invoice: Invoice) -> Contents:
    """Return the contents of an invoice.

    The time detail of a draft is read from the time entries. The time detail of an issued invoice is the copy that was
    made when the invoice was issued.
    """
    lines = await InvoiceLine.select().where(InvoiceLine.invoice_id == invoice.id).order_by(InvoiceLine.position)
    vat = (
        await InvoiceVat.select()
        .where(InvoiceVat.invoice_id == invoice.id)
        .order_by(InvoiceVat.category, InvoiceVat.rate)
    )
    rows = await (detail.copied if invoice.is_issued else detail.live)(invoice_id=invoice.id)
    return Contents(await asyncio.to_thread(with_entries, lines, rows, invoice.digits), vat, rows)


def with_entries(lines: list[Row], rows: list[DetailRow], digits: int) -> tuple[PrintedLine, ...]:
    """Return lines of a document as they are printed, each with the rows of the time detail that belong to it.

    `digits` is the number of decimals of the currency.
    """
    behind: dict[int | None, list[DetailRow]] = defaultdict(list)
    for row in rows:
        if row.entry_id is not None:
            behind[row.line].append(row)
    return tuple(_printed(line, behind[line["position"]], digits) for line in lines)


def _printed(line: Row, entries: list[DetailRow], digits: int) -> PrintedLine:
    minutes, price, net = line["minutes"], line["unit_price"], line["net"]
    return PrintedLine(
        position=line["position"],
        kind=line["kind"],
        label=line["label"].strip() or line["service_name"],
        service_name=line["service_name"],
        minutes=minutes,
        quantity=Decimal(1) if minutes is None else printed_hours(minutes, price, net, digits),
        unit_price=price,
        vat_category=line["vat_category"],
        vat_rate=line["vat_rate"],
        exemption_reason=line["exemption_reason"],
        net=net,
        rounding="" if minutes is None or price is None else _rounding(minutes, price, net, len(entries), digits),
        entries=tuple(entries),
    )


def _rounding(minutes: int, price: Decimal, net: Decimal, count: int, digits: int) -> str:
    """Return why minutes times price is not the amount, such as "30 entries, each rounded to the cent".

    Return "" if minutes times price is the amount.
    """
    if hourly_amount(minutes, price, digits) == net:
        return ""
    unit = "the cent" if digits == CENTS else f"{Decimal(1).scaleb(-digits):f}"
    return f"{formats.plural(count, 'entry', 'entries')}, each rounded to {unit}"


async def draft_context(draft: Invoice) -> Row:
    """Return the present data of a draft's customer, contract and billing run, as columns for the draft's page.

    When the draft is issued, the data of the customer and the contract are copied into the invoice.
    """
    return await current().fetchrow(
        "select u.id as customer_id, u.name as customer_name, u.legal_name, u.street, u.postcode, u.city, u.country, u.vat_id,"
        " t.id as contract_id, t.name as contract_name, t.payment_days, t.order_reference, t.requires_order,"
        " (select country from company) as home, exists (select from invoice_line l where l.invoice_id = i.id and l.vat_rate = 0) as is_untaxed,"
        " r.id as run_id, r.run_at, a.name as run_by, exists (select from settled_entry d join entry_question q on q.entry_id = d.entry_id"
        " where d.invoice_id = i.id) as has_questions"
        " from invoice i join customer u on u.id = i.customer_id join contract t on t.id = i.contract_id join billing_run r on r.id = i.run_id"
        " join agent a on a.id = r.run_by_id where i.id = $1",
        draft.id,
    )
