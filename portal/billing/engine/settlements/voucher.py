"""Voucher: prepaid hours, the earliest to expire first (D20). Its sale is billed apart from the services it is used for."""

from collections.abc import Iterator, Sequence
from datetime import date

from portal.billing.engine.settlements.pools import Fee, Pool
from portal.billing.engine.values import Contract, Entry, Service, Voucher
from portal.billing.engine.words import AllocationKind


def pools(contract: Contract, service: Service, entry: Entry, vouchers: Sequence[Voucher]) -> Iterator[Pool]:
    """The vouchers for this service that are valid on the entry's day, whether their sale was billed yet or not."""
    for voucher in vouchers:
        if voucher.valid_from <= entry.date < voucher.valid_until:
            yield Pool(AllocationKind.VOUCHER, (voucher.id, None), voucher.minutes)


def fees(contract: Contract, service: Service, until: date, digits: int) -> Iterator[Fee]:
    """None: what is paid is the voucher."""
    return iter(())
