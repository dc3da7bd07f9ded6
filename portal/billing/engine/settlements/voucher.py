"""The settlement by vouchers of prepaid hours: entries draw from the voucher that expires first (D20).

The sale of a voucher is billed on a line of its own.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from portal.billing.engine.settlements.included import IncludedMinutes
from portal.billing.engine.settlements.pools import Fee, Pool
from portal.billing.engine.terms import ContractTerms, ServiceTerms, Voucher
from portal.billing.engine.values import Entry
from portal.billing.engine.words import AllocationKind


def pools(
    service: ServiceTerms, entry: Entry, included: IncludedMinutes, vouchers: Sequence[Voucher]
) -> Iterator[Pool]:
    """Yield the included minutes of the subscription that the service shares, then the vouchers valid on `entry.date`.

    A voucher is yielded even if its sale is not billed yet.
    """
    yield from included.shared(service, entry.date)
    for voucher in vouchers:
        if voucher.covers(entry.date):
            yield Pool(AllocationKind.VOUCHER, (voucher.id, None), voucher.minutes)


def fees(contract: ContractTerms, service: ServiceTerms, until: date) -> Iterator[Fee]:
    """Yield no fee, because the customer pays for the voucher itself."""
    return iter(())
