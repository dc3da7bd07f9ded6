"""The interface of a settlement: which prepaid minutes cover an entry, and which fees fall due."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Protocol

from portal.billing.engine.settlements.included import IncludedMinutes
from portal.billing.engine.settlements.pools import Fee, Pool
from portal.billing.engine.terms import ContractTerms, ServiceTerms, Voucher
from portal.billing.engine.values import Entry


class Rules(Protocol):
    """The functions that the module of every settlement defines."""

    def pools(
        self, service: ServiceTerms, entry: Entry, included: IncludedMinutes, vouchers: Sequence[Voucher]
    ) -> Iterator[Pool]:
        """Yield the pools that `entry` may draw from, in the order in which it draws.

        `included` computes the included minutes of every subscription of the customer. `vouchers` are the vouchers for
        `service`, in the order in which they expire.
        """

    def fees(self, contract: ContractTerms, service: ServiceTerms, until: date) -> Iterator[Fee]:
        """Yield every fee of `service` that is due at `until`, in the order of periods.

        Fees that were billed before, as a whole or in part, are included; the caller subtracts the days that were
        billed.
        """
