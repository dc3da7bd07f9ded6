"""The values that a settlement yields: pools of prepaid minutes that cover entries, and fees that fall due."""

from dataclasses import dataclass
from datetime import date

from portal.billing.engine.values import PoolKey
from portal.billing.engine.words import AllocationKind
from portal.periods import Period


@dataclass(frozen=True, slots=True)
class Pool:
    """Prepaid minutes that entries draw from: a voucher, or the included minutes of one billing period.

    The pool is exhausted once all entries together have drawn `minutes` from `key`. Minutes that rolled over into a
    period are in a pool of their own. This pool has the same key as the pool of the period's own minutes, but a lower
    limit `minutes`, so that rolled-over minutes are used first. `origin` is the start of the period from which the
    minutes rolled over, or None.
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
