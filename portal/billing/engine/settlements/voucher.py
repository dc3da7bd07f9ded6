"""The settlement by vouchers of prepaid hours: entries draw from the voucher that expires first (D20).

The sale of a voucher is billed on a line of its own.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from portal.billing.engine.settlements.pools import Fee, Pool
from portal.billing.engine.values import ContractTerms, Entry, ServiceTerms, Voucher
from portal.billing.engine.words import AllocationKind


def pools(contract: ContractTerms, service: ServiceTerms, entry: Entry, vouchers: Sequence[Voucher]) -> Iterator[Pool]:
    """Yield the vouchers for this service that are valid on the entry's day, even if their sale was not billed yet."""
    for voucher in vouchers:
        if voucher.valid_from <= entry.date < voucher.valid_until:
            yield Pool(AllocationKind.VOUCHER, (voucher.id, None), voucher.minutes)


def fees(contract: ContractTerms, service: ServiceTerms, until: date, digits: int) -> Iterator[Fee]:
    """Yield no fee, because the customer pays for the voucher itself."""
    return iter(())
