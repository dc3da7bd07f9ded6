"""What is agreed with a customer: contracts, services, rates, vouchers. The values are frozen, and compared by content.

Minutes are `int`, amounts `Decimal`, dates local dates.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from portal.billing.engine.words import RateSource, VatCategory
from portal.durations import Rounding
from portal.periods import Cycle, Period
from portal.words import Due, Overflow, Rollup, Settlement

Key = int | str


@dataclass(frozen=True, slots=True)
class VatRate:
    """A VAT category and its percentage. Percentages are compared as numbers, so 19 equals 19.00."""

    category: VatCategory
    rate: Decimal


@dataclass(frozen=True, slots=True)
class RateTerms:
    """An hourly price, in force from the day `starts`. The fields that are set determine its scope (see `scope_of`).

    `customer` is True if the rate is for one customer only.
    """

    hourly_rate: Decimal
    starts: date
    service: Key | None = None
    agent: Key | None = None
    role: Key | None = None
    customer: bool = False
    id: Key | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a charged hour of one entry, as its approval fixes it, and the source of the price (D17).

    `rate` is the id of the rate, or None if the price is the entry's own, the schedule's, or the service's overage
    rate.
    """

    hourly_rate: Decimal
    source: RateSource
    rate: Key | None = None


@dataclass(frozen=True, slots=True)
class PriceChange:
    """The prices of a service from the day `starts` until the next change; `ServiceTerms` explains the other fields."""

    starts: date
    fee: Decimal
    included_minutes: int
    overage_rate: Decimal | None


@dataclass(frozen=True, slots=True)
class Rollover:
    """How unused included minutes roll over: they can be used in the next `periods` periods (D26).

    At most `cap` minutes in all roll over from one period into the next; None means no limit. Minutes beyond the cap
    expire, the oldest first. Nothing rolls over from periods before the period that contains the day `since`.
    """

    periods: int
    cap: int | None = None
    since: date | None = None


@dataclass(frozen=True, slots=True)
class ServiceTerms:
    """The terms of a service under which time is logged.

    - `overflow`: whether time beyond the prepaid minutes is charged, held or refused; a time-spent service ignores it.

    - `overage_rate`: the price of an hour beyond the prepaid minutes; if it is None, the rates apply.

    - `fee`, `included_minutes`, `due`: for subscriptions, the fee of a whole period, the minutes that the fee includes,
    and whether the fee is due in advance or in arrears.

    - `changes`: later prices, ordered by the day from which they are in force; `at` applies them.

    - `rollover`: how unused included minutes roll over; None if they expire with their period.

    - `shares`: another subscription of the same contract, whose included minutes this service may draw after its own
    included minutes (D28), or None.

    - `day_rounding`: the rule by which the sum of a day's minutes is rounded (D4); None if each entry was rounded.
    """

    id: Key
    name: str
    settlement: Settlement
    rollup: Rollup
    vat: VatRate
    effective_start: date
    overflow: Overflow = Overflow.BILL
    overage_rate: Decimal | None = None
    fee: Decimal = Decimal(0)
    included_minutes: int = 0
    due: Due = Due.ADVANCE
    changes: tuple[PriceChange, ...] = ()
    rollover: Rollover | None = None
    shares: Key | None = None
    day_rounding: Rounding | None = None

    def at(self, day: date) -> "ServiceTerms":
        """Return the terms with the fee, the included minutes and the overage rate that are in force on `day`."""
        number = bisect_right(self.changes, day, key=lambda change: change.starts)
        if not number:
            return self
        now = self.changes[number - 1]
        return replace(self, fee=now.fee, included_minutes=now.included_minutes, overage_rate=now.overage_rate)


@dataclass(frozen=True, slots=True)
class ContractTerms:
    """A contract: its dates, its billing periods, and its services in the order in which they are billed.

    `end` is the first day that the contract does not cover, or None. `anchor` is a day on which a billing period
    begins.
    """

    id: Key
    name: str
    start: date
    end: date | None
    cycle: Cycle
    anchor: date
    services: tuple[ServiceTerms, ...]

    def active(self, service: ServiceTerms) -> Period | None:
        """Return the days on which `service` can be used, or None if there are none.

        The days run from the start of the service, or of the contract if that is later, until the end of the contract.
        """
        return Period(self.start, self.end).within(Period(service.effective_start))


@dataclass(frozen=True, slots=True)
class Voucher:
    """Prepaid minutes for `services` (at least one), for work on days with `valid_from <= date < valid_until`.

    If `valid_until` is None, the voucher has no end.
    """

    id: Key
    label: str
    services: tuple[Key, ...]
    minutes: int
    price: Decimal
    sold: date
    valid_from: date
    valid_until: date | None

    def covers(self, day: date) -> bool:
        """Return whether work on `day` can be paid with this voucher."""
        return self.valid_from <= day and not self.has_expired(day)

    def has_expired(self, day: date) -> bool:
        """Return whether the voucher is no longer valid on `day`."""
        return self.valid_until is not None and self.valid_until <= day
