"""Compute what some days of a billing period cost from the fee of the whole period (D26)."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from portal.billing.engine.terms import ContractTerms, ServiceTerms
from portal.money import EXACT, divide_half_up
from portal.periods import Period, period_of


def price_of_days(contract: ContractTerms, service: ServiceTerms, days: Period, digits: int) -> Decimal:
    """Return the share of a period's fee for `days`, which must have an end and lie in one billing period.

    The fee is the fee in force on the first active day of the period. The result is the difference of two amounts, each
    rounded once: what all active days up to the end of `days` cost, less what the active days before `days` cost. So
    the prices of parts of a period always add up to the price of the parts together.
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
    """Return what `days` cost if later days of the period are billed already, for example after a change of the start.

    `charged` maps billed days of the period to the amount charged, or to None if the amount is not known. The result is
    the price of `days` and the billed days together, less what was charged, so that the sum is right to the cent.
    If no later days are billed, or if an amount is not known, return instead the share of the fee for `days` alone
    (`price_of_days`). Return this share also if it differs from the result by more than rounding explains: the fee has
    then changed since the later days were billed.
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
    """Return what the billed `days` cost if the contract ends on `end`; None if this cannot be computed.

    `end` is the first day that the contract does not cover; `days` end on this day or later. `others` maps the other
    billed days of the period to the amounts charged. The result is the price of all days before `end` together, less
    the amounts charged for the other days before `end`, so that the sum is right to the cent. It cannot be computed if
    a day before `end` is not billed, if a stretch of other billed days begins before `end` and ends after it, or if
    `days` begin after `end`.
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
