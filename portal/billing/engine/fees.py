"""Compute what some days of a billing period cost from the fee of the whole period (D26)."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from portal.billing.engine.terms import ContractTerms, ServiceTerms
from portal.money import EXACT, divide_half_up
from portal.periods import Period, period_of


def price_of_days(contract: ContractTerms, service: ServiceTerms, days: Period, digits: int) -> Decimal:
    """Return the share of the fee for `days`, which must have an end and lie in one billing period.

    The fee is the one in force on the first active day of the period. The days from that one up to any day cost their
    share of the fee, rounded once. Later days cost the difference between two such shares. So parts of a period add up
    to what they cost together, whenever and in whatever order they are billed or credited.
    """
    period = period_of(contract.anchor, contract.cycle, days.start)
    first = max(period.start, contract.start, service.effective_start)
    fee = service.at(first).fee
    before = (days.start - first).days
    until_start, until_end = (_share(fee, count, period, digits) for count in (before, before + days.days))
    return EXACT.subtract(until_end, until_start)


def price_before(
    contract: ContractTerms, service: ServiceTerms, days: Period, charged: Mapping[Period, Decimal | None], digits: int
) -> Decimal:
    """Return what `days` cost if days after them are billed already, such as after the start was moved forward.

    `charged` maps the billed days of the period to what was charged for them, or to None if that is not known. So that
    the sum is right to the cent, `days` cost what they and the billed days cost together, less what was charged. If
    this differs from the share of `days` alone by more than rounding does, the fee has changed since; then `days` cost
    that share.
    """
    plain = price_of_days(contract, service, days, digits)
    known = [amount for amount in charged.values() if amount is not None]
    if len(known) < len(charged) or not any(part.start >= days.start for part in charged):
        return plain
    period = period_of(contract.anchor, contract.cycle, days.start)
    first = max(period.start, contract.start, service.effective_start)
    count = sum(part.days for part in (days, *charged))
    together = _share(service.at(first).fee, count, period, digits)
    rest = EXACT.subtract(together, sum(known, Decimal(0)))
    is_rounding = abs(rest - plain) <= EXACT.scaleb(Decimal(len(known)), -digits)
    return rest if is_rounding and rest >= 0 else plain


def price_until(
    contract: ContractTerms,
    service: ServiceTerms,
    days: Period,
    end: date,
    others: Mapping[Period, Decimal],
    digits: int,
) -> Decimal | None:
    """Return what the billed `days` cost if the contract ends on `end`, so that all days before `end` cost their share.

    `end` is the first day that the contract does not cover; `days` end on it or later. `others` maps the other billed
    days of the period to what is charged for them. Parts that were billed before earlier ones were rounded by
    themselves, so `days` cost what all days before `end` cost together, less what is charged for the other ones. Return
    None if that cannot be computed: if a day before `end` is not billed, if another part still has days from `end` on,
    or if `days` begin after `end`.
    """
    period = period_of(contract.anchor, contract.cycle, days.start)
    first = max(period.start, contract.start, service.effective_start)
    before = {part: charged for part, charged in others.items() if part.start < end}
    count = (max(end, days.start) - days.start).days + sum(part.days for part in before)
    if days.start > end or any(part.end is None or part.end > end for part in before) or count != (end - first).days:
        return None
    together = _share(service.at(first).fee, count, period, digits)
    return EXACT.subtract(together, sum(before.values(), Decimal(0)))


def _share(fee: Decimal, count: int, period: Period, digits: int) -> Decimal:
    return divide_half_up(EXACT.multiply(fee, count), period.days, digits)
