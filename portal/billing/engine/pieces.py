"""Split the minutes of an entry into allocations: what prepaid minutes pay, and what the rest costs (D22)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from portal.billing.engine.settlements import Pool
from portal.billing.engine.terms import Price
from portal.billing.engine.values import Allocation, Entry
from portal.billing.engine.words import AllocationKind, RateSource
from portal.money import hourly_amount, round_half_up, total
from portal.schedules import Stretch
from portal.words import EntryBilling


@dataclass(frozen=True, slots=True)
class Draw:
    """Minutes that an entry draws from a pool."""

    pool: Pool
    minutes: int


def pieces(
    entry: Entry, price: Price | None, draws: Sequence[Draw], *, first: int, holds: bool, digits: int
) -> Iterator[Allocation]:
    """Yield the allocations, numbered from `first`, of an entry that is approved at `price` and draws `draws`.

    An entry at no charge or with a fixed fee has one allocation. With `holds`, an entry that is not covered as a whole
    draws nothing and has one held allocation. `digits` is the number of decimals of the currency.
    """
    nothing = _nothing(digits)
    if entry.billing is EntryBilling.NO_CHARGE:
        yield Allocation(entry.id, first, AllocationKind.NO_CHARGE, entry.billable_minutes, nothing)
        return
    if entry.fixed_fee is not None:
        fee = round_half_up(entry.fixed_fee, digits)
        yield Allocation(entry.id, first, AllocationKind.CHARGED, entry.billable_minutes, fee)
        return
    covered = sum(draw.minutes for draw in draws)
    if holds and covered < entry.billable_minutes:
        yield _held(entry, price, first, digits)
        return
    for place, draw in enumerate(draws, first):
        pool = draw.pool
        yield Allocation(entry.id, place, pool.kind, draw.minutes, nothing, pool.key, origin=pool.origin)
    for place, (minutes, of_minutes) in enumerate(_charged(entry, price, covered), first + len(draws)):
        amount = hourly_amount(minutes, of_minutes.hourly_rate, digits)
        yield Allocation(entry.id, place, AllocationKind.CHARGED, minutes, amount, price=of_minutes)


@cache
def _nothing(digits: int) -> Decimal:
    return round_half_up(Decimal(0), digits)


def _held(entry: Entry, price: Price | None, place: int, digits: int) -> Allocation:
    """Return the held allocation of an entry, with the amount that the entry would cost.

    The allocation has a price only if all minutes have the same price.
    """
    charged = list(_charged(entry, price, 0))
    amount = total((hourly_amount(minutes, each.hourly_rate, digits) for minutes, each in charged), digits)
    only = charged[0][1] if len(charged) == 1 else None
    return Allocation(entry.id, place, AllocationKind.HELD, entry.billable_minutes, amount, price=only)


def _charged(entry: Entry, price: Price | None, covered: int) -> Iterator[tuple[int, Price]]:
    """Yield the minutes after the first `covered` minutes, in the order in which they were worked, with their prices.

    Consecutive minutes with the same price are one item. Minutes that rounding added belong to the last stretch.
    """
    if not entry.stretches:
        if entry.billable_minutes > covered:
            yield entry.billable_minutes - covered, _priced(price)
        return
    begin, found = 0, list[tuple[int, Price]]()
    for number, stretch in enumerate(entry.stretches, 1):
        end = entry.billable_minutes if number == len(entry.stretches) else begin + stretch.minutes
        minutes = min(end, entry.billable_minutes) - max(begin, covered)
        begin = end
        if minutes <= 0:
            continue
        of_stretch = _price_of(stretch, price)
        if found and found[-1][1] == of_stretch:
            minutes += found.pop()[0]
        found.append((minutes, of_stretch))
    yield from found


def _price_of(stretch: Stretch, price: Price | None) -> Price:
    """Return the price of a stretch: the entry's own rate, else the rate of the schedule, else the approved price.

    Raise `ValueError` if `price` is None.
    """
    approved = _priced(price)
    if stretch.hourly_rate is None or approved.source is RateSource.ENTRY:
        return approved
    return Price(stretch.hourly_rate, RateSource.SCHEDULE)


def _priced(price: Price | None) -> Price:
    """Return the approved price of charged minutes. Raise `ValueError` if `price` is None."""
    if price is None:
        raise ValueError("a charged minute has no price")
    return price
