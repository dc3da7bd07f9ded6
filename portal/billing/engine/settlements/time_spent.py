"""Time spent: every minute is charged, nothing covers it and no fee is due."""

from collections.abc import Iterator, Sequence
from datetime import date

from portal.billing.engine.settlements.pools import Fee, Pool
from portal.billing.engine.values import Contract, Entry, Service, Voucher


def pools(contract: Contract, service: Service, entry: Entry, vouchers: Sequence[Voucher]) -> Iterator[Pool]:
    """None: a voucher cannot name such a service."""
    return iter(())


def fees(contract: Contract, service: Service, until: date, digits: int) -> Iterator[Fee]:
    """None."""
    return iter(())
