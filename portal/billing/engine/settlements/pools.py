"""The interface of a settlement: which prepaid minutes cover an entry, and which fees fall due."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

from portal.billing.engine.values import ContractTerms, Entry, PoolKey, ServiceTerms, Voucher
from portal.billing.engine.words import AllocationKind
from portal.periods import Period


@dataclass(frozen=True, slots=True)
class Pool:
    """Prepaid minutes that entries draw from: a voucher, or the included minutes of one billing period."""

    kind: AllocationKind
    key: PoolKey
    minutes: int


@dataclass(frozen=True, slots=True)
class Fee:
    """The fee of one billing period.

    `start` is the first day of the period, `active` the part of the period that the fee pays for.
    """

    start: date
    active: Period
    amount: Decimal


class Rules(Protocol):
    """The functions that the module of every settlement defines."""

    def pools(
        self, contract: ContractTerms, service: ServiceTerms, entry: Entry, vouchers: Sequence[Voucher]
    ) -> Iterator[Pool]:
        """Yield the pools that `entry` may draw from, in the order in which it draws.

        `vouchers` are the vouchers for `service`, the one that expires first before others.
        """

    def fees(self, contract: ContractTerms, service: ServiceTerms, until: date, digits: int) -> Iterator[Fee]:
        """Yield every fee of `service` that is due at `until`, in the order of periods.

        Fees that were billed before are included; the caller leaves them out.
        """
