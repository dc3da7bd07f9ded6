"""The settlement by subscription: a periodic fee with included minutes, then vouchers, then money (D20, D26).

If the contract or the service starts inside a period, or the contract ends inside it, only a part of the period is
active. The fee and the included minutes are then reduced in proportion to the days. The prices on the first active day
hold for the whole active part.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from portal.billing.engine.settlements import voucher
from portal.billing.engine.settlements.included import IncludedMinutes
from portal.billing.engine.settlements.pools import Fee, Pool
from portal.billing.engine.terms import ContractTerms, ServiceTerms, Voucher
from portal.billing.engine.values import Entry
from portal.periods import periods_between
from portal.words import Due


def pools(
    service: ServiceTerms, entry: Entry, included: IncludedMinutes, vouchers: Sequence[Voucher]
) -> Iterator[Pool]:
    """Yield the included minutes of the period that contains the day of `entry`, then the pools of `voucher.pools`.

    If no day of that period is active, there are no included minutes.
    """
    yield from included.of(service.id, entry.date)
    yield from voucher.pools(service, entry, included, vouchers)


def fees(contract: ContractTerms, service: ServiceTerms, until: date) -> Iterator[Fee]:
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
            yield Fee(period.start, active)
