"""Define the values of the engine, which are frozen and compared by content.

Minutes are int, amounts Decimal, dates local, instants aware. An id is what the caller has: text in `portal simulate`,
integers in the database. Ids of one kind must be comparable, because they break ties.
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
"""What minutes are drawn from: (service, start of the period) for included minutes, (voucher, None) for a voucher."""


Order = tuple[date, datetime, Key]
"""The sort key of entries: the day worked, the instant of creation, the id."""


@dataclass(frozen=True, slots=True)
class VatRate:
    """Hold a VAT category and its percentage. Rates that are equal as numbers are equal, whatever their decimals."""

    category: VatCategory
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Rate:
    """Hold an hourly price in force from `starts`, for the scope that its set fields name (see `rates.scope_of`)."""

    hourly_rate: Decimal
    starts: date
    service: Key | None = None
    agent: Key | None = None
    role: Key | None = None
    customer: bool = False
    id: Key | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """Hold what an hour of one entry costs where it is charged, and which rate said so; approval fixes it (D17)."""

    hourly_rate: Decimal
    source: RateSource
    rate: Key | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """Hold a service, under which time is logged.

    The last four fields belong to a subscription; `overflow` applies to vouchers as well.
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


@dataclass(frozen=True, slots=True)
class Contract:
    """Hold a contract: its dates, its billing periods, and its services in the order in which they are billed."""

    id: Key
    name: str
    start: date
    end: date | None
    cycle: Cycle
    anchor: date
    services: tuple[Service, ...]

    def active(self, service: Service) -> Period | None:
        """Return the days on which `service` can be used, from its own start until the contract's end, or None."""
        return Period(self.start, self.end).within(Period(service.effective_start))


@dataclass(frozen=True, slots=True)
class Voucher:
    """Hold prepaid minutes for `services` (at least one), usable on days with `valid_from <= date < valid_until`."""

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
    """Hold worked time with the minutes that count (`billable_minutes`, after rounding or an override)."""

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
        """Return the sort key by which entries are allocated, listed and settled."""
        return self.date, self.created, self.id

    @property
    def is_documented(self) -> bool:
        """Return whether the entry may stand on a document, which only one that is not billable may not."""
        return self.billing is not EntryBilling.NOT_BILLABLE


@dataclass(frozen=True, slots=True)
class Allocation:
    """Hold a piece of an entry's billable minutes and what pays for it; `place` numbers an entry's pieces from 0."""

    entry: Key
    place: int
    kind: AllocationKind
    minutes: int
    amount: Decimal
    pool: PoolKey | None = None
    price: Price | None = None

    @property
    def source(self) -> date | Key | None:
        """Return the start of the period whose included minutes were drawn, or the id of the voucher, else None."""
        if self.pool is None:
            return None
        return self.pool[1] if self.kind is AllocationKind.INCLUDED else self.pool[0]


@dataclass(frozen=True, slots=True)
class Line:
    """Hold one line of an invoice.

    `net` is rounded; on a line of time it is the sum of its allocations' amounts. `minutes` (the charged ones) and
    `entries` belong to lines of time. `allocations` are the charged ones, or all of the entry with the rollup `none`.
    On a fee, `period_start` is the first day of its period and `active` the part that it pays for. On a line for a
    voucher, `voucher` is its id.
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
    """Hold the VAT of one category and rate, computed on the sum of its lines and rounded once (D41)."""

    vat: VatRate
    base: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class Document:
    """Hold an invoice or a statement of one contract.

    `detail` names the entries that it settles, `allocations` are all of theirs.
    """

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
    """Hold an entry that was old enough for a run and that the run did not settle, with the reason."""

    entry: Key
    reason: SkipReason


@dataclass(frozen=True, slots=True)
class State:
    """Hold the contracts and the time of one customer, and what has been decided and billed so far.

    - `entries`: every entry that is not settled; a settled one may be there too, if it is in `settled`.

    - `approved`: the price of every approved entry, settled or not; None where it needs none (not billable, no
    charge).

    - `released`: held entries that a manager decided to charge, possibly before their approval.

    - `settled`: the frozen allocations of entries on a document; it may omit entries that are not in `entries`.

    - `drawn`: minutes that settled entries have drawn, by pool.

    - `billed_fees` (service and first day of the period) and `billed_vouchers`: those that need no line any more.
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
        """Return each service with its contract, by the id of the service."""
        return {service.id: (contract, service) for contract in self.contracts for service in contract.services}

    def open_entries(self) -> list[Entry]:
        """Return the entries that may stand on a document and are not settled, approved or not, in their order."""
        return sorted(
            (entry for entry in self.entries if entry.is_documented and entry.id not in self.settled),
            key=lambda entry: entry.order,
        )


@dataclass(frozen=True, slots=True)
class Billing:
    """Hold what a run makes, what it skips, and the state after it.

    Fees and vouchers that were due count as billed even where their line is 0.00 and no document was made: compare
    `state.billed_fees` and `state.billed_vouchers` with those before.
    """

    documents: tuple[Document, ...]
    skipped: tuple[Skipped, ...]
    state: State
