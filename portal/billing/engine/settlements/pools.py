"""What a settlement gives the engine: the minutes that cover an entry, and the fees that fall due."""

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
    """Minutes granted once, from which entries draw."""

    kind: AllocationKind
    key: PoolKey
    minutes: int


@dataclass(frozen=True, slots=True)
class Fee:
    """The fee of one period: `start` is the period's first day, `active` the part that is paid for."""

    start: date
    active: Period
    amount: Decimal


class Rules(Protocol):
    """What each module of a settlement defines."""

    def pools(self, contract: Contract, service: Service, entry: Entry, vouchers: Sequence[Voucher]) -> Iterator[Pool]:
        """Yield the pools that `entry` may draw from, in turn.

        `vouchers` are those that name `service`, in the order in which they are used up.
        """

    def fees(self, contract: Contract, service: Service, until: date, digits: int) -> Iterator[Fee]:
        """Every fee that is due at `until`, billed already or not, by period."""
