"""The settlement by subscription: a periodic fee with included minutes, then vouchers, then money (D20, D26).

Included minutes expire at the end of their period. If only a part of a period is active, because the contract or the
service starts or the contract ends inside it, the fee and the included minutes are reduced in proportion to the days.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from portal.billing.engine.settlements import voucher
from portal.billing.engine.settlements.pools import Fee, Pool
from portal.billing.engine.values import ContractTerms, Entry, ServiceTerms, Voucher
from portal.billing.engine.words import AllocationKind
from portal.money import EXACT, divide_half_up
from portal.periods import period_of, periods_between
from portal.words import Due


def pools(contract: ContractTerms, service: ServiceTerms, entry: Entry, vouchers: Sequence[Voucher]) -> Iterator[Pool]:
    """Yield the included minutes of the period in which the entry was worked, then the valid vouchers.

    If no day of that period is active, there are no included minutes.
    """
    period = period_of(contract.anchor, contract.cycle, entry.date)
    whole = contract.active(service)
    active = None if whole is None else period.within(whole)
    if active is not None:
        minutes = service.included_minutes * active.days // period.days
        yield Pool(AllocationKind.INCLUDED, (service.id, period.start), minutes)
    yield from voucher.pools(contract, service, entry, vouchers)


def fees(contract: ContractTerms, service: ServiceTerms, until: date, digits: int) -> Iterator[Fee]:
    """Yield the fees that are due at `until`.

    A fee in advance is due once the active part of its period has started, a fee in arrears once that part has ended.
    """
    whole = contract.active(service)
    if whole is None:
        return
    last = until if whole.end is None else min(until, whole.end - timedelta(days=1))
    for period in periods_between(contract.anchor, contract.cycle, whole.start, last):
        active = period.within(whole)
        if active is None:
            continue
        due = active.start if service.due is Due.ADVANCE else active.end
        if due is not None and due <= until:
            amount = divide_half_up(EXACT.multiply(service.fee, active.days), period.days, digits)
            yield Fee(period.start, active, amount)
