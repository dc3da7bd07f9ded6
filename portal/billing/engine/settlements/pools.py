"""Define what a settlement tells the engine: which prepaid minutes cover an entry, and which fees fall due."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

from portal.billing.engine.values import Contract, Entry, PoolKey, Service, Voucher
from portal.billing.engine.words import AllocationKind
from portal.periods import Period


@dataclass(frozen=True, slots=True)
class Pool:
    """Hold a grant of prepaid minutes, from which entries draw."""

    kind: AllocationKind
    key: PoolKey
    minutes: int


@dataclass(frozen=True, slots=True)
class Fee:
    """Hold the fee of one period: `start` is its first day, `active` the part of it that is paid for."""

    start: date
    active: Period
    amount: Decimal


class Rules(Protocol):
    """Describe what the module of a settlement has to define."""

    def pools(self, contract: Contract, service: Service, entry: Entry, vouchers: Sequence[Voucher]) -> Iterator[Pool]:
        """Yield the pools that `entry` may draw from, in the order in which it draws.

        `vouchers` are those for `service`, in the order in which they are used up.
        """

    def fees(self, contract: Contract, service: Service, until: date, digits: int) -> Iterator[Fee]:
        """Yield every fee that is due at `until`, in the order of periods, whether it was billed before or not."""
