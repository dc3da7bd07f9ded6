"""Compute what a credit note would credit: a whole invoice, some of its lines, or minutes of its time.

The credited amount is the invoice's charge for the minutes left before the credit note, less its charge for the minutes
left after the credit note. So credit notes that together credit everything add up to the invoice, in net and in tax.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from portal.billing.credits.creditable import Creditable, Left
from portal.billing.credits.lines import lines_of
from portal.billing.documents.detail import DetailRow
from portal.durations import spoken
from portal.errors import Invalid
from portal.money import cash_amount, hourly_amount, percent_of, round_half_up, total

NOTHING = "Choose what is to be credited: everything, a line, or time."
DISCOUNTED = "With the discount on this invoice, that is not what is left of it. Choose the discount as well, or less."
ALL_CREDITED = "Everything on this invoice is credited already."


class Refusals(NamedTuple):
    """The error messages for a choice of minutes in the time detail.

    - `too_much`: more minutes are chosen than are left of a row.
    - `whole_fee`: only a part of a row with a fixed fee is chosen.
    - `gone`: nothing is left of a chosen row.
    """

    too_much: str
    whole_fee: str
    gone: str


CREDITED = Refusals(
    "Only {minutes} are left to credit.",
    "This cost a fixed fee, which is credited as a whole: write {minutes}, or leave it empty.",
    "Some of this time is credited already. Look at it again.",
)
"""The error messages for credits of invoices. There are other messages for corrections of statements."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What somebody chose to credit: everything, or lines of the invoice, parts of lines, and minutes of time.

    - `unused`: True to credit what fees charge for days after the end of the contract. The other lines that are not for
      time are then not credited.
    - `lines`: the positions of the lines to credit as a whole.
    - `minutes`: the minutes to credit, by position in the time detail.
    - `amounts`: the net amounts to credit, by position of a line for a fee or for a charge added by hand.
    - `vouchers`: the minutes to credit, by position of a line for a voucher; 0 credits nothing.
    """

    everything: bool = False
    unused: bool = False
    lines: frozenset[int] = frozenset()
    minutes: Mapping[int, int] = field(default_factory=dict)
    amounts: Mapping[int, Decimal] = field(default_factory=dict)
    vouchers: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Credit:
    """The content of a credit note: lines and VAT groups as database columns, credited time, and time detail.

    - `time`: credited rows of the invoice's time detail, each with the credited minutes and amount.
    - `due_again`: the lines of the invoice whose fee or voucher can become due again.
    - `unused_from`: the first day for which a fee is credited because the contract has ended, by line of the invoice.
    - `voucher_minutes`: the minutes to remove from a voucher, by line of the invoice that sells the voucher.
    - `payable`: the amount by which the credit note lowers the invoice's sum to pay. This amount can differ from the
      gross if the sum to pay is rounded to a multiple of the smallest coin (`cash_rounding`), such as 0.05.
    """

    lines: list[dict[str, object]]
    vat: list[dict[str, object]]
    time: list[tuple[DetailRow, int, Decimal]]
    detail: list[DetailRow]
    due_again: frozenset[int]
    unused_from: Mapping[int, date]
    voucher_minutes: Mapping[int, int]
    currency: str
    net: Decimal
    tax: Decimal
    payable: Decimal

    @property
    def gross(self) -> Decimal:
        """Return the credited sum with tax."""
        return self.net + self.tax


def credit(of: Creditable, chosen: Chosen) -> Credit:
    """Return the content of the credit note for this choice.

    Raise `Invalid` if nothing is left to credit, or if the choice is empty, exceeds what is left, has only a part of a
    fixed fee, or exceeds what a discount on the invoice leaves to credit (`_vat`).
    """
    time = list(chosen_time(of.time, chosen, of.invoice.digits))
    unused = of.unused if chosen.unused else {}
    nets = {position: days.amount for position, days in unused.items()} if chosen.unused else _chosen_nets(of, chosen)
    if of.is_empty:
        raise Invalid({"": ALL_CREDITED})
    nets |= _parts(of, chosen)
    if not time and not nets:
        raise Invalid({"": NOTHING})
    lines, rows = lines_of(of, time, nets)
    digits = of.invoice.digits
    vat = list(_vat(of, lines))
    net = total((line["net"] for line in lines), digits)  # type: ignore[misc]
    tax = total((group["tax"] for group in vat), digits)  # type: ignore[misc]
    return Credit(
        lines=lines,
        vat=vat,
        time=time,
        detail=rows,
        due_again=frozenset() if chosen.unused else _due_again(of, nets, chosen),
        unused_from={position: days.since for position, days in unused.items()},
        voucher_minutes=_voucher_minutes(of, chosen, lines),
        currency=of.invoice.currency,
        net=net,
        tax=tax,
        payable=_payable(of, net + tax),
    )


def _voucher_minutes(of: Creditable, chosen: Chosen, lines: Sequence[dict[str, object]]) -> dict[int, int]:
    """Return how many minutes the credit note removes from each voucher, by the invoice line that sells the voucher.

    If a line in `lines` credits only a part of a voucher, change the line's label to say how many hours and minutes.
    """
    taken = {}
    for line in lines:
        position: Any = line["line_position"]
        if voucher := of.vouchers.get(position):
            taken[position] = minutes = chosen.vouchers.get(position) or voucher.left
            if minutes < voucher.minutes:
                line["label"] = f"{spoken(minutes)} of {line['label']}"
    return taken


def _chosen_nets(of: Creditable, chosen: Chosen) -> dict[int, Decimal]:
    """Return the amount still to credit of each chosen line that is not for time, by the position of the line."""
    return {
        position: net for position, net in of.nets.items() if net and (chosen.everything or position in chosen.lines)
    }


def _payable(of: Creditable, gross: Decimal) -> Decimal:
    """Return by how much a credit of `gross` lowers the invoice's sum to pay.

    The sum to pay is rounded to a multiple of the smallest coin (`cash_rounding`), if the invoice has one. The results
    for several credits add up to the result for one credit of the same sum.
    """
    left = total((base + tax for base, tax in of.groups.values()), of.invoice.digits)
    coin = of.invoice.cash_rounding
    if not coin:
        return gross
    return cash_amount(left, coin, of.invoice.digits) - cash_amount(left - gross, coin, of.invoice.digits)


def _due_again(of: Creditable, nets: Mapping[int, Decimal], chosen: Chosen) -> frozenset[int]:
    """Return the lines of `of.due_again` that the credit note credits wholly.

    Only the fees and vouchers of these lines can become due again.
    """
    parts = {position for position, minutes in chosen.vouchers.items() if minutes}
    whole = of.due_again & nets.keys() - parts
    return frozenset(position for position in whole if nets[position] == of.nets[position])


def _parts(of: Creditable, chosen: Chosen) -> dict[int, Decimal]:
    """Return the amounts to credit for the chosen parts of fees, charges added by hand and vouchers, by line.

    Return an empty dictionary if everything or only unused days are credited. Raise `Invalid` if a part is more than
    what is left of the line.
    """
    if chosen.everything or chosen.unused:
        return {}
    rest = {place: round_half_up(of.nets[place], of.invoice.digits) for place in of.divisible}
    problems = {
        f"amount-{position}": f"Only {rest.get(position, 0)} is left to credit."
        for position, amount in chosen.amounts.items()
        if position not in of.divisible or amount > of.nets[position]
    }
    for position, minutes in chosen.vouchers.items():
        left = of.vouchers[position].left if position in of.vouchers else 0
        if minutes > left:
            problems[f"voucher-{position}"] = CREDITED.too_much.format(minutes=_clock(left))
    if problems:
        raise Invalid(problems)
    return {position: amount for position, amount in chosen.amounts.items() if amount} | {
        position: of.vouchers[position].amount(minutes) for position, minutes in chosen.vouchers.items() if minutes
    }


def chosen_time(
    time: Sequence[Left], chosen: Chosen, digits: int, refusals: Refusals = CREDITED
) -> Iterable[tuple[DetailRow, int, Decimal]]:
    """Yield the rows of the time detail that are credited, each with the minutes and the amount to credit.

    If everything or the line of the row is chosen, the whole row is credited; otherwise, only the minutes that
    `chosen.minutes` has for the row. Raise `Invalid` for more minutes than are left, a part of a fixed fee, or a row of
    which nothing is left. `refusals` has the error messages.
    """
    problems = {}
    known = {left.row.position for left in time}
    for left in time:
        row = left.row
        is_whole = chosen.everything or (row.line is not None and row.line in chosen.lines)
        minutes = left.minutes if is_whole else chosen.minutes.get(row.position)
        if minutes is None:
            continue
        if row.has_fixed_fee and 0 < minutes < left.minutes:
            problems[f"minutes-{row.position}"] = refusals.whole_fee.format(minutes=_clock(left.minutes))
        elif minutes > left.minutes:
            problems[f"minutes-{row.position}"] = refusals.too_much.format(minutes=_clock(left.minutes))
        elif minutes == left.minutes:
            yield row, minutes, left.amount
        elif minutes:
            yield row, minutes, left.amount - _amount(row, left.minutes - minutes, digits)
    if problems or chosen.minutes.keys() - known:
        raise Invalid(problems or {"": refusals.gone})


def _clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02}"


def _amount(row: DetailRow, minutes: int, digits: int) -> Decimal:
    """Return what the invoice charges for `minutes` of a row; 0 if the row has no hourly rate."""
    return Decimal(0) if row.hourly_rate is None else hourly_amount(minutes, row.hourly_rate, digits)


def _vat(of: Creditable, lines: Sequence[Mapping[str, object]]) -> Iterable[dict[str, object]]:
    """Yield the VAT groups of the credit note.

    The tax of a group is the tax that is left before the credit note less the tax that is left after it.

    Raise `Invalid` if the base of a group would be negative or more than what is left of the group. A discount on the
    invoice can cause both.
    """
    bases: dict[tuple[str, Decimal], Decimal] = defaultdict(Decimal)
    for line in lines:
        bases[line["vat_category"], line["vat_rate"]] += line["net"]  # type: ignore[index, operator]
    for (category, rate), base in bases.items():
        left, tax = of.groups[category, rate]
        if not 0 <= base <= left:
            raise Invalid({"": DISCOUNTED})
        yield {
            "category": category,
            "rate": rate,
            "base": base,
            "tax": tax - percent_of(left - base, rate, of.invoice.digits) if left != base else tax,
        }
