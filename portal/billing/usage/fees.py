"""Tell the fee of a subscription for a billing period, and the fee that will be billed next (S2.3, D26)."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from portal.billing.engine import ContractTerms, ServiceTerms, price_of_days
from portal.periods import Period, period_of
from portal.words import Due, Settlement


@dataclass(frozen=True, slots=True)
class Fees:
    """The fees of a subscription, as seen on a day.

    `now` is the fee for the present period, or None if the subscription is active on no day of this period. `next` is
    the amount of the next fee that becomes due, and `billed_from` the day on which it becomes due; both are None if no
    more fees become due.
    """

    now: Decimal | None
    next: Decimal | None
    billed_from: date | None


def fees_of(contract: ContractTerms, service: ServiceTerms, on: date, digits: int) -> Fees | None:
    """Return the fees of a service as seen on the day `on`, or None if the service is no subscription."""
    if service.settlement is not Settlement.SUBSCRIPTION:
        return None
    period, whole = period_of(contract.anchor, contract.cycle, on), contract.active(service)
    now = _amount(contract, service, period, digits)
    while whole is not None and (whole.end is None or period.start < whole.end):
        active = period.within(whole)
        due = None if active is None else active.start if service.due is Due.ADVANCE else active.end
        if due is not None and due > on:
            return Fees(now, _amount(contract, service, period, digits), due)
        if period.end is None or period.end >= date.max:
            break
        period = period_of(contract.anchor, contract.cycle, period.end)
    return Fees(now, None, None)


def _amount(contract: ContractTerms, service: ServiceTerms, period: Period, digits: int) -> Decimal | None:
    whole = contract.active(service)
    active = period.within(whole) if whole else None
    return price_of_days(contract, service, active, digits) if active else None
