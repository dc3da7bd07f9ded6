"""Compute what is left to credit of an issued invoice: the time, the net amounts of the other lines, and the tax."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from portal.billing.allocating.book import Row
from portal.billing.credits.sold import SoldVoucher, sold_vouchers
from portal.billing.credits.unused import UnusedDays, unused_fees
from portal.billing.documents import detail
from portal.billing.documents.detail import DetailRow
from portal.billing.documents.invoices import Invoice, InvoiceLine, InvoiceVat
from portal.database import current


@dataclass(frozen=True, slots=True)
class Left:
    """What is left to credit of one row of the time detail of an invoice or statement."""

    row: DetailRow
    minutes: int
    amount: Decimal

    @property
    def is_open(self) -> bool:
        """Return whether minutes are left.

        A row that never had billable minutes is never open, but `left_of` yields such a row until it is credited.
        """
        return self.minutes > 0


@dataclass(frozen=True, slots=True)
class Creditable:
    """What is left to credit of an invoice: the time, the net amounts of the other lines, and the tax groups.

    - `lines`: all lines of the invoice.
    - `nets`: the net amounts that are left of lines that are not for time, by position. For a voucher, the share of the
      price for minutes that are neither drawn nor reserved is left.
    - `groups`: the base and the tax that are left, by VAT category and rate.
    - `due_again`: the positions of the lines whose fee or voucher can become due again. Nothing of these lines has been
      credited, and no minutes of their vouchers are drawn or reserved.
    - `vouchers`: the sold vouchers, by line.
    - `unused`: the part of a fee that can be credited because it is for days after the contract's end, by line.
    """

    invoice: Invoice
    lines: Sequence[Row]
    time: Sequence[Left]
    nets: Mapping[int, Decimal]
    groups: Mapping[tuple[str, Decimal], tuple[Decimal, Decimal]]
    due_again: frozenset[int]
    vouchers: Mapping[int, SoldVoucher]
    unused: Mapping[int, UnusedDays]

    @property
    def divisible(self) -> frozenset[int]:
        """Return the positions of the lines that can be credited in part.

        These are the lines for fees and for charges added by hand, unless nothing is left to credit of them.
        """
        lines = (line for line in self.lines if line["kind"] in ("fee", "extra"))
        return frozenset(line["position"] for line in lines if self.nets[line["position"]] > 0)

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is left to credit."""
        return not self.time and not any(self.nets.values())


_CREDITED_TIME = """
select detail_position, sum(minutes)::int as minutes, sum(amount) as amount from credited_time where invoice_id = $1 group by 1
"""
_CREDITED_LINES = (
    "select line_position, sum(net) as net from credit_line where invoice_id = $1 and kind <> 'time' group by 1"
)
_CREDITED_VAT = (
    "select category, rate, sum(base) as base, sum(tax) as tax from credit_vat where invoice_id = $1 group by 1, 2"
)


async def creditable(invoice: Invoice) -> Creditable:
    """Return what is left to credit of an issued invoice."""
    fetch = current().fetch
    lines = await InvoiceLine.select().where(InvoiceLine.invoice_id == invoice.id).order_by(InvoiceLine.position)
    vat = await InvoiceVat.select().where(InvoiceVat.invoice_id == invoice.id)
    rows = await detail.copied(invoice_id=invoice.id)
    time = {row["detail_position"]: row for row in await fetch(_CREDITED_TIME, invoice.id)}
    nets = {row["line_position"]: row["net"] for row in await fetch(_CREDITED_LINES, invoice.id)}
    taxes = {(row["category"], row["rate"]): row for row in await fetch(_CREDITED_VAT, invoice.id)}
    vouchers = await sold_vouchers(invoice)
    others = [line for line in lines if line["kind"] != "time"]
    left = {line["position"]: _rest(line, vouchers, nets) for line in others}
    return Creditable(
        invoice=invoice,
        lines=lines,
        time=list(left_of(rows, time)),
        nets=left,
        groups={key: (base, tax) for key, base, tax in _groups(vat, taxes)},
        due_again=frozenset(
            line["position"]
            for line in others
            if line["position"] not in nets
            and (line["kind"] == "fee" or (line["kind"] == "voucher" and not vouchers[line["position"]].drawn))
        ),
        vouchers=vouchers,
        unused=await unused_fees(invoice, others, left),
    )


def _rest(line: Row, vouchers: Mapping[int, SoldVoucher], credited: Mapping[int, Decimal]) -> Decimal:
    """Return the net amount left to credit of a line that is not for time; negative for a discount not yet credited."""
    if voucher := vouchers.get(line["position"]):
        return voucher.amount(voucher.left)
    rest: Decimal = line["net"] - credited.get(line["position"], Decimal(0))
    return rest if line["kind"] == "extra" else max(rest, Decimal(0))


def left_of(rows: Iterable[DetailRow], credited: Mapping[int, Row]) -> Iterable[Left]:
    """Yield what is left of each row of a time detail that is for time and not wholly credited.

    `credited` maps the position of a row to the `minutes` and the `amount` that were credited before.
    """
    for row in rows:
        if row.entry_id is None:
            continue
        before = credited.get(row.position)
        if before is None:
            yield Left(row, row.minutes or 0, row.amount)
        elif before["minutes"] < (row.minutes or 0):
            yield Left(row, (row.minutes or 0) - before["minutes"], row.amount - before["amount"])


def _groups(
    vat: Iterable[Row], credited: Mapping[tuple[str, Decimal], Row]
) -> Iterable[tuple[tuple[str, Decimal], Decimal, Decimal]]:
    for group in vat:
        key = (group["category"], group["rate"])
        before = credited.get(key)
        base, tax = (before["base"], before["tax"]) if before else (Decimal(0), Decimal(0))
        yield key, group["base"] - base, group["tax"] - tax
