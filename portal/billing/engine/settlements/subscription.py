"""Subscription: a fee per period with included minutes, which die at the period's end; then vouchers (D20, D26).

Of a period that is only partly active (the contract starts or ends inside of it, or the service does later) both the fee
and the included minutes are cut by days.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from portal.billing.engine.settlements import voucher
from portal.billing.engine.settlements.pools import Fee, Pool
from portal.billing.engine.values import Contract, Entry, Service, Voucher
from portal.billing.engine.words import AllocationKind
from portal.money import EXACT, divide_half_up
from portal.periods import period_of, periods_between
from portal.words import Due


def pools(contract: Contract, service: Service, entry: Entry, vouchers: Sequence[Voucher]) -> Iterator[Pool]:
    """The included minutes of the period that holds the entry's day, then what vouchers give."""
    period = period_of(contract.anchor, contract.cycle, entry.date)
    whole = contract.active(service)
    active = None if whole is None else period.within(whole)
    if active is not None:
        minutes = service.included_minutes * active.days // period.days
        yield Pool(AllocationKind.INCLUDED, (service.id, period.start), minutes)
    yield from voucher.pools(contract, service, entry, vouchers)


def fees(contract: Contract, service: Service, until: date, digits: int) -> Iterator[Fee]:
    """In advance: of periods whose active part starts at `until` or before; in arrears: of those that ended by then."""
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
