"""Decide what pays for each approved entry: included minutes first, then vouchers, then money (D20, D22, D23).

The allocations are computed from the whole state each time, so they do not depend on the order of approvals and
withdrawals. The minutes that settled entries drew from a pool (a stock of prepaid minutes) stay drawn.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from itertools import takewhile

from portal.billing.engine.day_rounding import rounded_by_day
from portal.billing.engine.pieces import Draw, pieces
from portal.billing.engine.settlements import SETTLEMENTS, IncludedMinutes, Pool
from portal.billing.engine.terms import Key, Price, ServiceTerms, Voucher
from portal.billing.engine.values import Allocation, BillingState, Entry, PoolKey
from portal.words import EntryBilling, Overflow, Settlement


def allocate(state: BillingState) -> dict[Key, tuple[Allocation, ...]]:
    """Return the allocations of every approved billable or no-charge entry that is not settled, by entry id.

    The entries are in the order in which they draw prepaid minutes. The minutes of an entry's allocations sum to its
    billable minutes; a billable entry with 0 billable minutes has no allocation, unless it has a fixed fee. Raise
    `ValueError` if a billable entry was approved without the price that it needs.
    """
    sweep = Sweep(state, state.drawn)
    return {entry.id: sweep.allocate(entry, state.approved[entry.id]) for entry in approved_entries(state)}


def approved_entries(state: BillingState) -> list[Entry]:
    """Return the approved entries that are not settled, sorted by `Entry.order`.

    Each entry has the billable minutes that it gets from rounding by day.
    """
    entries = [entry for entry in state.open_entries() if entry.id in state.approved]
    changed = rounded_by_day(entries, state.places())
    return [replace(entry, billable_minutes=changed[entry.id]) if entry.id in changed else entry for entry in entries]


def add_draws(drawn: dict[PoolKey, int], allocated: Iterable[Allocation]) -> None:
    """Add to `drawn`, in place, the minutes that these allocations draw from each pool."""
    for piece in allocated:
        if piece.pool is not None:
            drawn[piece.pool] = drawn.get(piece.pool, 0) + piece.minutes


class Sweep:
    """One pass over entries, sorted by `Entry.order`: each entry draws prepaid minutes that earlier entries have left.

    `drawn` has the minutes that were drawn from each pool before the pass; the pass does not change this mapping.
    """

    def __init__(self, state: BillingState, drawn: Mapping[PoolKey, int]) -> None:
        self._state = state
        self._places = state.places()
        self._vouchers = _by_service(state)
        self._drawn = dict(drawn)
        self._included = IncludedMinutes(self._places, self._drawn, state.rolled)

    def allocate(self, entry: Entry, price: Price | None) -> tuple[Allocation, ...]:
        """Return the allocations of an entry that is approved at `price`.

        Record the included and prepaid minutes that the entry draws, so that later entries cannot draw them. Call this
        method for the entries one after the other, sorted by `Entry.order`. Raise `ValueError` if the entry needs a
        price and has none.
        """
        draws: list[Draw] = []
        if draws_minutes(entry):
            if price is None:
                raise ValueError(f"entry {entry.id} is billable and was approved without a price")
            draws = list(self._draws(entry))
        _, service = self._places[entry.service]
        holds = holds_rest(service) and entry.id not in self._state.released
        found = tuple(
            pieces(
                entry,
                price,
                draws,
                first=self._state.next_place.get(entry.id, 0),
                holds=holds,
                digits=self._state.digits,
            )
        )
        add_draws(self._drawn, found)
        return found

    def pools(self, entry: Entry) -> Iterator[Pool]:
        """Yield the pools that `entry` may draw from, in the order in which it draws."""
        _, service = self._places[entry.service]
        vouchers = self._left(entry.service, entry.date)
        return SETTLEMENTS[service.settlement].pools(service, entry, self._included, vouchers)

    def _draws(self, entry: Entry) -> Iterator[Draw]:
        """Yield what `entry` draws from each pool, until the entry is covered or no pool is left."""
        rest = entry.billable_minutes
        taken: dict[PoolKey, int] = {}
        for pool in self.pools(entry):
            minutes = min(rest, pool.minutes - self._drawn.get(pool.key, 0) - taken.get(pool.key, 0))
            if minutes > 0:
                taken[pool.key] = taken.get(pool.key, 0) + minutes
                rest -= minutes
                yield Draw(pool, minutes)
            if not rest:
                return

    def _left(self, service: Key, day: date) -> list[Voucher]:
        """Return the vouchers for `service`, beginning with the first that is neither used up nor expired on `day`.

        The stored list is shortened in place: entries are allocated in the order of their days, so a voucher that has
        expired for one entry has expired for all later entries.
        """
        vouchers = self._vouchers[service]
        if not vouchers:
            return vouchers
        gone = takewhile(
            lambda one: one.has_expired(day) or self._drawn.get((one.id, None), 0) >= one.minutes, vouchers
        )
        del vouchers[: sum(1 for _ in gone)]
        return vouchers


def draws_minutes(entry: Entry) -> bool:
    """Return whether prepaid minutes may pay for the entry: it must be billable, and have no fixed fee."""
    return entry.billing is EntryBilling.BILLABLE and entry.fixed_fee is None


def holds_rest(service: ServiceTerms) -> bool:
    """Return whether an entry of the service is held as a whole if prepaid minutes cover only a part of it.

    A time-spent service has no prepaid minutes, so it holds nothing. Any other service holds such an entry unless it
    bills the time beyond the prepaid minutes. This includes services that block such time: they approve only covered
    entries, but an entry can lose its cover later, when an entry of an earlier day is approved.
    """
    return service.overflow is not Overflow.BILL and service.settlement is not Settlement.TIME_SPENT


def _by_service(state: BillingState) -> defaultdict[Key, list[Voucher]]:
    """Return the vouchers that each service may draw from, by service id, in the order in which they expire.

    A voucher without an end comes last. Minutes whose price was credited are subtracted from the voucher's minutes.
    """
    found: defaultdict[Key, list[Voucher]] = defaultdict(list)
    for voucher in sorted(
        state.vouchers, key=lambda one: (one.valid_until is None, one.valid_until or one.sold, one.sold, one.id)
    ):
        usable = replace(voucher, minutes=voucher.minutes - state.refunded.get(voucher.id, 0))
        for service in voucher.services:
            found[service].append(usable)
    return found
