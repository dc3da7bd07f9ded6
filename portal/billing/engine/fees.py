"""What the days of a billing period cost, where the fee of the whole period is known (D26)."""

from decimal import Decimal

from portal.billing.engine.terms import ContractTerms, ServiceTerms
from portal.money import EXACT, divide_half_up
from portal.periods import Period, period_of


def price_of_days(contract: ContractTerms, service: ServiceTerms, days: Period, digits: int) -> Decimal:
    """Return the share of the fee that `days` cost, which have an end and lie in one billing period.

    The fee is the one in force on the first day of the period on which the service is active. The first days of the period
    up to any day cost their share of the fee, rounded once; days after others cost the difference. So parts of a period add
    up to what they cost together, whenever and in whatever order they are billed or credited.
    """
    period = period_of(contract.anchor, contract.cycle, days.start)
    first = max(period.start, contract.start, service.effective_start)
    fee = service.at(first).fee
    before = (days.start - first).days
    until_start, until_end = (
        divide_half_up(EXACT.multiply(fee, count), period.days, digits) for count in (before, before + days.days)
    )
    return EXACT.subtract(until_end, until_start)
