"""The settlement by time spent: every minute is charged; there are no prepaid minutes and no fees."""

from collections.abc import Iterator, Sequence
from datetime import date

from portal.billing.engine.settlements.included import IncludedMinutes
from portal.billing.engine.settlements.pools import Fee, Pool
from portal.billing.engine.terms import ContractTerms, ServiceTerms, Voucher
from portal.billing.engine.values import Entry


def pools(
    service: ServiceTerms, entry: Entry, included: IncludedMinutes, vouchers: Sequence[Voucher]
) -> Iterator[Pool]:
    """Yield no pool, because a time-spent service has neither vouchers nor included minutes."""
    return iter(())


def fees(contract: ContractTerms, service: ServiceTerms, until: date) -> Iterator[Fee]:
    """Yield no fee, because a time-spent service has none."""
    return iter(())
