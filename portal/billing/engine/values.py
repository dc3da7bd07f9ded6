"""Time entries, what pays for them, and what is billed: values that are frozen, and compared by content.

Minutes are `int`, amounts `Decimal`, dates local dates, instants time-zone aware. The caller chooses the ids: text in
`portal simulate`, integers in the database. Ids of one kind must be comparable, because they decide the order of
entries that are otherwise equal.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter

from portal.billing.engine.terms import ContractTerms, Key, Price, ServiceTerms, VatRate, Voucher
from portal.billing.engine.words import AllocationKind, DocumentKind, LineKind, RateSource, SkipReason
from portal.periods import Period
from portal.schedules import Stretch
from portal.words import EntryBilling

PoolKey = tuple[Key, date | None]
"""A pool of prepaid minutes: (voucher, None), or (service, start of the period) for included minutes.

What was rolled over into a period belongs to the pool of that period.
"""


Order = tuple[date, datetime, Key]
"""The sort key of entries: the day worked, the instant of creation, the id."""


@dataclass(frozen=True, slots=True)
class RolledMinutes:
    """Included minutes of the period that began on `origin`, which may roll over `periods` more times."""

    origin: date
    minutes: int
    periods: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A time entry.

    - `billable_minutes`: the minutes that count, after factors, rounding or a manual override. If the service rounds by
      day, they are not rounded yet.

    - `hourly_rate`: the entry's own rate, or None.

    - `role`: None if the agent has no role.

    - `case`: the id of the case or project, or None. Rounding by day rounds the sum of the minutes on one case.

    - `is_override`: True if rounding by day must not change the billable minutes, for example after a manual override.

    - `fixed_fee`: the price of the whole entry if its task has one, instead of an hourly price; None otherwise.

    - `stretches`: the worked minutes in their order, as the schedule splits them; empty without a schedule.
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
    case: Key | None = None
    is_override: bool = False
    fixed_fee: Decimal | None = None
    stretches: tuple[Stretch, ...] = ()

    @property
    def order(self) -> Order:
        """Return the sort key of the order in which entries are allocated, listed and settled."""
        return self.date, self.created, self.id

    def last_minutes(self, minutes: int) -> "Entry":
        """Return the entry with only its last `minutes` billable minutes, which rounding by day no longer changes."""
        tail: list[Stretch] = []
        left, rounded = minutes, self.billable_minutes - sum(stretch.minutes for stretch in self.stretches)
        for stretch in reversed(self.stretches):
            length = min(left, max(0, stretch.minutes + rounded))
            rounded = 0
            left -= length
            if length:
                tail.insert(0, replace(stretch, minutes=length))
        return replace(self, billable_minutes=minutes, is_override=True, stretches=tuple(tail))

    def without(self, pieces: "Iterable[Allocation]") -> "Entry":
        """Return the entry without the minutes of its allocations `pieces`, and with `is_override` set.

        Charged allocations come first. Each removes minutes with its own schedule rate (minutes without one, if it has
        none) from the end of the entry backwards, and any minutes from the start if those are too few. Then each
        allocation that is not charged removes minutes from the start.
        """
        left = list(self.last_minutes(self.billable_minutes).stretches)
        for piece in sorted(pieces, key=lambda piece: piece.kind is not AllocationKind.CHARGED):
            rate = piece.price.hourly_rate if piece.price and piece.price.source is RateSource.SCHEDULE else None
            is_charged, minutes = piece.kind is AllocationKind.CHARGED, piece.minutes
            own = [place for place, stretch in enumerate(left) if is_charged and stretch.hourly_rate == rate]
            for place in (*reversed(own), *range(len(left))):
                taken = min(minutes, left[place].minutes)
                left[place] = replace(left[place], minutes=left[place].minutes - taken)
                minutes -= taken
        minutes = sum(stretch.minutes for stretch in left)
        stretches = tuple(stretch for stretch in left if stretch.minutes)
        return replace(self, billable_minutes=minutes, is_override=True, stretches=stretches)

    @property
    def is_documented(self) -> bool:
        """Return whether the entry may appear on a document. An entry that is not billable may not."""
        return self.billing is not EntryBilling.NOT_BILLABLE


BY_ORDER = attrgetter("date", "created", "id")
"""Return the `order` of an entry; as a sort key, this function is three times as fast as the property."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """A part of an entry's billable minutes, and what pays for it.

    `place` numbers the allocations of an entry from 0. `pool` is None unless prepaid minutes pay. `price` is None
    unless the minutes are charged or held; it is also None for a fixed fee, and for held minutes of different prices.
    `origin` is the start of the period from which included minutes were rolled over, or None.
    """

    entry: Key
    place: int
    kind: AllocationKind
    minutes: int
    amount: Decimal
    pool: PoolKey | None = None
    price: Price | None = None
    origin: date | None = None

    @property
    def source(self) -> date | Key | None:
        """Return what the minutes were drawn from.

        For included minutes, it is the first day of the period that granted the minutes. For minutes of a voucher, it
        is the id of the voucher. For all other minutes, it is None.
        """
        if self.pool is None:
            return None
        return self.origin or self.pool[1] if self.kind is AllocationKind.INCLUDED else self.pool[0]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice.

    - `minutes` and `entries`: the charged minutes and the entries, on lines for time only.
    - `unit_price`: None if the charged time has different rates or a fixed fee, or if nothing is charged.
    - `net`: the rounded amount. On a line for time, it is the sum of the amounts of `allocations`.
    - `allocations`: the charged allocations or, with the rollup `none`, all allocations of the entry.
    - `period_start` and `active`: on a line for a fee, the first day of the period, and the part of the period that the
      line pays for.
    - `voucher`: on a line for a voucher, the voucher's id.
    - `reopened`: how often credits had made the fee or the voucher due again before this line (see `BillingState`).
    - `product`: the product of the price list that a line added by hand charges, or None.
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
    reopened: int = 0
    product: Key | None = None

    @property
    def sold(self) -> PoolKey | None:
        """Return a key for the fee or the voucher that the line sells, or None if the line sells neither.

        The key of a fee is (service, first day that the line pays for). The key of a voucher is (voucher, None).
        """
        if self.voucher is not None:
            return self.voucher, None
        return None if self.active is None else (self.service, self.active.start)


@dataclass(frozen=True, slots=True)
class VatGroup:
    """The VAT of one category and rate, computed on the sum of its lines and rounded once (D41)."""

    vat: VatRate
    base: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice or a statement for one contract, or a document that corrects an invoice or a statement.

    `detail` has the ids of the entries that the document settles, `allocations` all allocations of these entries. On a
    credit note or a correcting statement, `detail` and `allocations` are what is credited, and minutes and amounts are
    negative.
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
    """An entry that a billing run did not settle although its day is before the end date of the run, and the reason."""

    entry: Key
    reason: SkipReason


@dataclass(frozen=True, slots=True)
class BillingState:
    """The contracts and the time of one customer, and what has been decided and billed so far.

    - `entries`: every entry that is not settled. Settled entries may be included, if `settled` has their allocations.

    - `approved`: the price of every approved entry, settled or not. The price is None if the entry needs none, because
      it is not billable, is at no charge or has a fixed fee.

    - `released`: the held entries that a manager decided to charge, possibly before they are approved.

    - `flagged`: the entries that must not be settled, whatever their approval, because a question about them is open
      (C3).

    - `settled`: the frozen allocations of entries on a document, by entry id. Settled entries that are not in `entries`
      may be omitted.

    - `drawn`: the minutes that settled entries have drawn from each pool.

    - `billed_fees`: the days for which fees were billed before, by service and first day of the period. Days that were
      credited because the contract ended are left out.

    - `charged`: what was charged for billed days of fees, by `Line.sold`. It is needed only for periods in which
      earlier days may still become active.

    - `billed_vouchers`: the vouchers that were billed before.

    - `rolled`: the minutes that were rolled over into a period, for each period whose predecessor a run has closed.

    - `freed`: the minutes of entries in `settled` that a credit has made billable again, until a document settles them.

    - `written_off`: the entries whose minutes a credit has written off, in part or as a whole; they stay settled.

    - `next_place`: for entries on credited documents, the place of their next allocation, so that no two allocations of
      an entry have the same place.

    - `credited`: what was credited of the price of fees and vouchers, by `Line.sold`.

    - `reopened`: how often a credit has made a fee or a voucher due again, by `Line.sold`.

    - `refunded`: the minutes of vouchers whose price was credited; nobody can draw them.

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
    billed_fees: Mapping[tuple[Key, date], tuple[Period, ...]] = field(default_factory=dict)
    charged: Mapping[PoolKey, Decimal] = field(default_factory=dict)
    billed_vouchers: frozenset[Key] = frozenset()
    rolled: Mapping[PoolKey, tuple[RolledMinutes, ...]] = field(default_factory=dict)
    freed: Mapping[Key, int] = field(default_factory=dict)
    written_off: frozenset[Key] = frozenset()
    next_place: Mapping[Key, int] = field(default_factory=dict)
    credited: Mapping[PoolKey, Decimal] = field(default_factory=dict)
    reopened: Mapping[PoolKey, int] = field(default_factory=dict)
    refunded: Mapping[Key, int] = field(default_factory=dict)
    digits: int = 2

    def places(self) -> dict[Key, tuple[ContractTerms, ServiceTerms]]:
        """Return a mapping of each service's id to its contract and the service itself."""
        return {service.id: (contract, service) for contract in self.contracts for service in contract.services}

    def open_entries(self) -> list[Entry]:
        """Return the entries that may appear on a document and are not settled, sorted by `Entry.order`.

        Entries that are not approved are included.

        If a credit has made a part of a settled entry billable again, only this part of the entry is returned.
        """
        return sorted(
            [
                self._freed(entry) if entry.id in self.freed else entry
                for entry in self.entries
                if entry.is_documented and (entry.id not in self.settled or entry.id in self.freed)
            ],
            key=BY_ORDER,
        )

    def _freed(self, entry: Entry) -> Entry:
        """Return the part of a settled entry that a credit has made billable again."""
        rest = entry.without(self.settled[entry.id]) if entry.stretches else entry
        return rest.last_minutes(self.freed[entry.id])


@dataclass(frozen=True, slots=True)
class Billing:
    """The result of `bill`: the documents that were made, the entries that were skipped, and the state afterwards.

    Fees and vouchers that were due count as billed even if their amount is 0.00 and no document was made. To see which
    fees and vouchers `bill` has billed, compare `state` with the state before. `allocations` has the allocations of all
    approved entries that were not settled before.
    """

    documents: tuple[Document, ...]
    skipped: tuple[Skipped, ...]
    state: BillingState
    allocations: Mapping[Key, tuple[Allocation, ...]]
