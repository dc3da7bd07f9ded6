"""The values of the billing engine: frozen, and compared by content.

Minutes are `int`, amounts `Decimal`, dates local dates, instants time-zone aware. The caller chooses the ids: text in
`portal simulate`, integers in the database. Ids of one kind must be comparable, because they decide the order of
entries that are otherwise equal.
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
"""A pool of prepaid minutes: (service, start of the period) for included minutes, (voucher, None) for a voucher."""


Order = tuple[date, datetime, Key]
"""The sort key of entries: the day worked, the instant of creation, the id."""


@dataclass(frozen=True, slots=True)
class VatRate:
    """A VAT category and its percentage. Two rates are equal if they are equal as numbers, such as 19 and 19.00."""

    category: VatCategory
    rate: Decimal


@dataclass(frozen=True, slots=True)
class RateTerms:
    """An hourly price, in force from `starts`, for the scope that is given by the fields that are set (see `scope_of`).

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
    """The price of a charged hour of one entry, and where it comes from; the approval fixes it (D17).

    `rate` is the id of the rate, or None if the price is the entry's own or the service's overage rate.
    """

    hourly_rate: Decimal
    source: RateSource
    rate: Key | None = None


@dataclass(frozen=True, slots=True)
class ServiceTerms:
    """The terms of a service under which time is logged.

    `overflow` says whether time beyond the prepaid minutes is charged or held; a time-spent service ignores it. The
    last three fields are for subscriptions: the fee of a whole period, the minutes that the fee includes, and whether
    the fee is due in advance or in arrears. `overage_rate` is the price of an hour beyond the prepaid minutes; if it is
    None, the rates apply.
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
    """Prepaid minutes for `services` (at least one), for work on days with `valid_from <= date < valid_until`."""

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
    """A time entry. `billable_minutes` are the minutes that count, after rounding or a manual override.

    `hourly_rate` is the entry's own rate, or None. `role` is None if the agent has no role.
    """

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
        """Return the sort key of the order in which entries are allocated, listed and settled."""
        return self.date, self.created, self.id

    @property
    def is_documented(self) -> bool:
        """Return whether the entry may appear on a document: every entry may, unless it is not billable."""
        return self.billing is not EntryBilling.NOT_BILLABLE


@dataclass(frozen=True, slots=True)
class Allocation:
    """A piece of an entry's billable minutes, and what pays for it.

    `place` numbers the pieces of an entry from 0. `pool` is None unless prepaid minutes pay; `price` is None unless
    the piece is charged or held.
    """

    entry: Key
    place: int
    kind: AllocationKind
    minutes: int
    amount: Decimal
    pool: PoolKey | None = None
    price: Price | None = None

    @property
    def source(self) -> date | Key | None:
        """Return what the minutes were drawn from.

        That is the start of the period for included minutes, the id of the voucher for prepaid minutes, and None
        otherwise.
        """
        if self.pool is None:
            return None
        return self.pool[1] if self.kind is AllocationKind.INCLUDED else self.pool[0]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice.

    `net` is rounded; on a line for time it is the sum of the amounts of its allocations. `minutes` (the charged
    minutes) and `entries` are set on lines for time only. `allocations` are the charged allocations or, with the
    rollup `none`, all allocations of the entry. On a line for a fee, `period_start` is the first day of the period and
    `active` the part of the period that the fee pays for. On a line for a voucher, `voucher` is the voucher's id.
    `unit_price` is None if the charged hours have different rates or if nothing is charged.
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
    """The VAT of one category and rate, computed on the sum of its lines and rounded once (D41)."""

    vat: VatRate
    base: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice or a statement for one contract.

    `detail` holds the ids of the entries that the document settles, `allocations` all allocations of these entries.
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
    """An entry of a day before the end date of a billing run that the run did not settle, and the reason."""

    entry: Key
    reason: SkipReason


@dataclass(frozen=True, slots=True)
class BillingState:
    """The contracts and the time of one customer, and what has been decided and billed so far.

    - `entries`: every entry that is not settled. Settled entries may be included, if `settled` has their allocations.

    - `approved`: the price of every approved entry, settled or not. The price is None if the entry needs none, because
    it is not billable or at no charge.

    - `released`: the held entries that a manager decided to charge, possibly before they are approved.

    - `flagged`: the entries that must not be settled, whatever their approval, because a question about them is open (C3).

    - `settled`: the frozen allocations of entries on a document, by entry id. Settled entries that are not in `entries`
    may be omitted.

    - `drawn`: the minutes that settled entries have drawn from each pool.

    - `billed_fees` and `billed_vouchers`: the fees (service and first day of the period) and the vouchers that were
    billed before.

    - `digits`: how many decimals amounts in the currency have.
    """

    contracts: tuple[ContractTerms, ...]
    vouchers: tuple[Voucher, ...] = ()
    entries: tuple[Entry, ...] = ()
    approved: Mapping[Key, Price | None] = field(default_factory=dict)
    released: frozenset[Key] = frozenset()
    flagged: frozenset[Key] = frozenset()
    settled: Mapping[Key, tuple[Allocation, ...]] = field(default_factory=dict)
    drawn: Mapping[PoolKey, int] = field(default_factory=dict)
    billed_fees: frozenset[tuple[Key, date]] = frozenset()
    billed_vouchers: frozenset[Key] = frozenset()
    digits: int = 2

    def places(self) -> dict[Key, tuple[ContractTerms, ServiceTerms]]:
        """Return a mapping of each service's id to its contract and the service itself."""
        return {service.id: (contract, service) for contract in self.contracts for service in contract.services}

    def open_entries(self) -> list[Entry]:
        """Return the entries that may appear on a document and are not settled, whether approved or not, in order."""
        return sorted(
            (entry for entry in self.entries if entry.is_documented and entry.id not in self.settled),
            key=lambda entry: entry.order,
        )


@dataclass(frozen=True, slots=True)
class Billing:
    """The result of `bill`: the documents that were made, the entries that were skipped, and the state afterwards.

    Fees and vouchers that were due count as billed even if their amount is 0.00 and no document was made. Compare
    `state.billed_fees` and `state.billed_vouchers` with those of the state before to see which were billed.
    """

    documents: tuple[Document, ...]
    skipped: tuple[Skipped, ...]
    state: BillingState
