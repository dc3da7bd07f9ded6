"""Settle by time spent: every minute is charged, nothing is prepaid and no fee is due."""

from collections.abc import Iterator, Sequence
from datetime import date

from portal.billing.engine.settlements.pools import Fee, Pool
from portal.billing.engine.values import Contract, Entry, Service, Voucher


def pools(contract: Contract, service: Service, entry: Entry, vouchers: Sequence[Voucher]) -> Iterator[Pool]:
    """Yield nothing: no voucher can be for such a service."""
    return iter(())


def fees(contract: Contract, service: Service, until: date, digits: int) -> Iterator[Fee]:
    """Yield nothing."""
    return iter(())
