"""What a settlement yields: prepaid minutes that cover entries, and fees that fall due."""

from dataclasses import dataclass
from datetime import date

from portal.billing.engine.values import PoolKey
from portal.billing.engine.words import AllocationKind
from portal.periods import Period


@dataclass(frozen=True, slots=True)
class Pool:
    """Prepaid minutes that entries draw from: a voucher, or the included minutes of one billing period.

    `minutes` is how many minutes all entries together may have drawn from `key` when this pool is exhausted. So minutes
    that were rolled over come first: their pool has the same key as the period's own and fewer minutes. `origin` is the
    start of the period from which they were rolled over, or None.
    """

    kind: AllocationKind
    key: PoolKey
    minutes: int
    origin: date | None = None


@dataclass(frozen=True, slots=True)
class Fee:
    """The fee of one billing period.

    `start` is the first day of the period, `active` the part of the period that the fee pays for.
    """

    start: date
    active: Period
