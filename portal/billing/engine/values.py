"""The engine's values: frozen, compared by content. Minutes are int, amounts Decimal, dates local, instants aware.

An id is whatever the caller has, text on paper and integers in the database; ids of one kind have to be comparable,
because they break ties.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from portal.billing.engine.words import AllocationKind, DocumentKind, LineKind, RateSource, SkipReason, VatCategory
from portal.periods import Cycle, Period
from portal.words import Due, EntryBilling, Overflow, Rollup, Settlement

Key = int | str

PoolKey = tuple[Key, date | None]
"""Whose minutes are drawn: (service, start of the period) for included ones, (voucher, None) for a voucher's."""


Order = tuple[date, datetime, Key]
"""What entries are sorted by: the day worked, the instant of creation, the id."""


@dataclass(frozen=True, slots=True)
class VatRate:
    """A tax category with its percentage. Equal as numbers is equal, however they are written."""

    category: VatCategory
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Rate:
    """An hourly price from `starts` on, for the scope that its non-empty fields name (see `rates.scope_of`)."""

    hourly_rate: Decimal
    starts: date
    service: Key | None = None
    agent: Key | None = None
    role: Key | None = None
    customer: bool = False
    id: Key | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """What an hour of one entry costs where it is charged, fixed at approval, and where that comes from (D17)."""

    hourly_rate: Decimal
    source: RateSource
    rate: Key | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """What time is logged under. The last four fields are the subscription's; `overflow` is also the voucher's."""

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


@dataclass(frozen=True, slots=True)
class Contract:
    """The frame with a customer: its dates, its billing periods, its services in the order in which they are billed."""

    id: Key
    name: str
    start: date
    end: date | None
    cycle: Cycle
    anchor: date
    services: tuple[Service, ...]

    def active(self, service: Service) -> Period | None:
        """The days on which `service` can be used: within the contract and from its effective start on, if any."""
        return Period(self.start, self.end).within(Period(service.effective_start))


@dataclass(frozen=True, slots=True)
class Voucher:
    """Prepaid minutes, to be used for `services` (at least one) where `valid_from <= date < valid_until`."""

    id: Key
    label: str
    services: tuple[Key, ...]
    minutes: int
    price: Decimal
    sold: date
    valid_from: date
    valid_until: date


@dataclass(frozen=True, slots=True)
class Entry:
    """What was worked, with the minutes that count (`billable_minutes`, after rounding or an override)."""

    id: Key
    service: Key
    agent: Key
    agent_name: str
    role: Key | None
    role_name: str
    date: date
    created: datetime
    billing: EntryBilling
    billable_minutes: int
    hourly_rate: Decimal | None = None
    external_comment: str = ""

    @property
    def order(self) -> Order:
        """Entries are allocated, listed and settled in this order."""
        return self.date, self.created, self.id

    @property
    def is_documented(self) -> bool:
        """Whether it can stand on a document at all."""
        return self.billing is not EntryBilling.NOT_BILLABLE


@dataclass(frozen=True, slots=True)
class Allocation:
    """A piece of an entry's billable minutes and what pays for it; `place` numbers an entry's pieces from 0."""

    entry: Key
    place: int
    kind: AllocationKind
    minutes: int
    amount: Decimal
    pool: PoolKey | None = None
    price: Price | None = None

    @property
    def source(self) -> date | Key | None:
        """The start of the period whose included minutes were drawn, or the voucher."""
        if self.pool is None:
            return None
        return self.pool[1] if self.kind is AllocationKind.INCLUDED else self.pool[0]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice; `net` is rounded, and of a time line the sum of its allocations' amounts.

    `minutes` (charged ones) and `entries` belong to time lines. `allocations` are the charged pieces, with the rollup
    `none` all pieces of the entry. A fee has the first day of its period in `period_start` and the active part, which it
    pays for, in `active`; a voucher line has `voucher`.
    """

    kind: LineKind
    service: Key
    label: str
    minutes: int | None
    unit_price: Decimal | None
    net: Decimal
    vat: VatRate
    entries: tuple[Key, ...] = ()
    allocations: tuple[Allocation, ...] = ()
    period_start: date | None = None
    active: Period | None = None
    voucher: Key | None = None


@dataclass(frozen=True, slots=True)
class VatGroup:
    """The tax of one category and rate: on the sum of its lines, rounded once (D41)."""

    vat: VatRate
    base: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice or a statement of one contract. `detail` are the entries it settles, `allocations` all their pieces."""

    kind: DocumentKind
    contract: Key
    until: date
    detail: tuple[Key, ...]
    allocations: tuple[Allocation, ...]
    lines: tuple[Line, ...]
    vat: tuple[VatGroup, ...]
    net: Decimal
    tax: Decimal
    gross: Decimal


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry that was old enough for a run and is not settled by it."""

    entry: Key
    reason: SkipReason


@dataclass(frozen=True, slots=True)
class State:
    """One customer's contracts and time, and what has happened to it so far.

    - `entries`: every entry that is not settled; settled ones may be there too, if they are in `settled`.
    - `approved`: the price of every approved entry, settled or not; None where it needs none (not billable, no charge).
    - `released`: held entries that a manager decided to charge, also before their approval.
    - `settled`: the frozen pieces of entries on a document. May be left out for entries that are not in `entries`.
    - `drawn`: minutes that settled entries have drawn, per pool.
    - `billed_fees`, `billed_vouchers`: (service, first day of the period), and vouchers, that need no line any more.
    """

    contracts: tuple[Contract, ...]
    vouchers: tuple[Voucher, ...] = ()
    entries: tuple[Entry, ...] = ()
    approved: Mapping[Key, Price | None] = field(default_factory=dict)
    released: frozenset[Key] = frozenset()
    settled: Mapping[Key, tuple[Allocation, ...]] = field(default_factory=dict)
    drawn: Mapping[PoolKey, int] = field(default_factory=dict)
    billed_fees: frozenset[tuple[Key, date]] = frozenset()
    billed_vouchers: frozenset[Key] = frozenset()
    digits: int = 2

    def places(self) -> dict[Key, tuple[Contract, Service]]:
        """Each service with its contract, by the service's id."""
        return {service.id: (contract, service) for contract in self.contracts for service in contract.services}

    def open_entries(self) -> list[Entry]:
        """What is approved or waits for it, may stand on a document and is not settled, in its order."""
        return sorted(
            (entry for entry in self.entries if entry.is_documented and entry.id not in self.settled),
            key=lambda entry: entry.order,
        )


@dataclass(frozen=True, slots=True)
class Billing:
    """What a run makes, what it leaves out, and the state after it.

    Fees and vouchers that were due count as billed even where their line is 0.00 and no document came of it: compare
    `state.billed_fees` and `state.billed_vouchers` with those before.
    """

    documents: tuple[Document, ...]
    skipped: tuple[Skipped, ...]
    state: State
