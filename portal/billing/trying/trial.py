"""Compute what the work of a past year would have cost under other terms, and compare it with the real cost."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from portal.billing.engine import BillingState, LineKind, RateTable, ServiceTerms, approve, bill
from portal.billing.trying.history import History, Real
from portal.billing.trying.offers import Offer, Worked, contract_of, vouchers_of
from portal.money import total
from portal.periods import Period

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Month:
    """One month of a trial: what really happened in it, and what the tried terms would have cost.

    `first` is the first day of the month. Time belongs to the month in which it was worked, a fee to the month in which
    its period begins, and a voucher to the month of its sale.
    """

    first: date
    real: Real
    tried: Decimal

    @property
    def difference(self) -> Decimal:
        """Return how much more the tried terms would have cost than what the month really cost; negative if less."""
        return self.tried - self.real.amount


@dataclass(frozen=True, slots=True)
class Trial:
    """What past months really cost, and what they would have cost under the tried terms of a contract.

    `unpriced` is the number of entries that could not be approved under the tried terms; they count as 0.00.
    """

    months: tuple[Month, ...]
    unpriced: int

    @property
    def real(self) -> Real:
        """Return the real figures of all months, added up."""
        return sum((month.real for month in self.months), Real())

    @property
    def tried(self) -> Decimal:
        """Return what all months together would have cost under the tried terms."""
        return sum((month.tried for month in self.months), ZERO)

    @property
    def difference(self) -> Decimal:
        """Return how much more the tried terms would have cost than what all months really cost; negative if less."""
        return self.tried - self.real.amount

    @property
    def bars(self) -> tuple[tuple[str, Decimal, Decimal], ...]:
        """Return the name of each month, what it really cost and what the tried terms would have cost, for a chart.

        A month in which more was credited than billed counts as 0.
        """
        return tuple((f"{month.first:%b}", max(month.real.amount, ZERO), month.tried) for month in self.months)


async def tried(history: History, offer: Offer) -> Trial:
    """Return what the work of a history would have cost under `offer`, month by month.

    The engine runs in a worker thread, and nothing is stored.
    """
    if not history.services:
        return Trial(tuple(Month(first, history.real.get(first, Real()), ZERO) for first in history.months), 0)
    costs, unpriced = await asyncio.to_thread(
        _cost, offer, history.services, history.worked, history.rates, history.active, history.digits
    )
    months = (Month(first, history.real.get(first, Real()), costs.get(first, ZERO)) for first in history.months)
    return Trial(tuple(months), unpriced)


def _cost(
    offer: Offer,
    services: Sequence[ServiceTerms],
    worked: Iterable[Worked],
    rates: RateTable,
    active: Period,
    digits: int,
) -> tuple[Mapping[date, Decimal], int]:
    """Return what `offer` costs, by the first day of each month, and how many entries could not be approved under it.

    Months that begin on or after the end of `active` are left out. Raise `ValueError` if `active` has no end.
    """
    if active.end is None:
        raise ValueError("a trial needs an end")
    contract = contract_of(offer, services, active.start, active.end)
    entries = tuple(each.counted(offer) for each in worked)
    state = BillingState(
        contracts=(contract,), vouchers=vouchers_of(offer, entries, contract), entries=entries, digits=digits
    )
    state, refused = approve(state, [entry.id for entry in entries], rates)
    billing = bill(state, active.end)
    days = {entry.id: entry.date for entry in entries}
    sales = {voucher.id: voucher.sold for voucher in state.vouchers}
    amounts: dict[date, list[Decimal]] = defaultdict(list)
    for document in billing.documents:
        for line in document.lines:
            if line.kind is not LineKind.TIME:
                day = line.period_start if line.voucher is None else sales[line.voucher]
                amounts[max(day or active.start, active.start).replace(day=1)].append(line.net)
        for piece in document.allocations:
            amounts[days[piece.entry].replace(day=1)].append(piece.amount)
    in_window = {first: total(each, digits) for first, each in amounts.items() if first < active.end}
    return in_window, len(refused)
