"""The settlement by time spent: every minute is charged; there are no prepaid minutes and no fees."""

from collections.abc import Iterator, Sequence
from datetime import date

from portal.billing.engine.settlements.pools import Fee, Pool
from portal.billing.engine.values import ContractTerms, Entry, ServiceTerms, Voucher


def pools(contract: ContractTerms, service: ServiceTerms, entry: Entry, vouchers: Sequence[Voucher]) -> Iterator[Pool]:
    """Yield no pool, because a voucher cannot be for a time-spent service."""
    return iter(())


def fees(contract: ContractTerms, service: ServiceTerms, until: date, digits: int) -> Iterator[Fee]:
    """Yield no fee, because a time-spent service has none."""
    return iter(())
