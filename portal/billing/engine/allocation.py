"""Decide what pays for each approved entry: included minutes first, then vouchers, then money (D20, D22, D23).

The allocations are computed from the whole state each time, so they do not depend on the order of approvals and
withdrawals. The minutes that settled entries drew from a pool stay drawn.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import takewhile

from portal.billing.engine.settlements import SETTLEMENTS, Pool
from portal.billing.engine.values import Allocation, BillingState, Entry, Key, PoolKey, Price, ServiceTerms, Voucher
from portal.billing.engine.words import AllocationKind
from portal.money import hourly_amount, round_half_up
from portal.words import EntryBilling, Overflow, Settlement


def allocate(state: BillingState) -> dict[Key, tuple[Allocation, ...]]:
    """Return the allocations of every approved billable or no-charge entry that is not settled, by entry id.

    The entries are in the order in which they draw prepaid minutes. The minutes of an entry's allocations sum to its
    billable minutes; a billable entry with 0 billable minutes has no allocation. Raise `ValueError` if a billable entry
    was approved without a price.
    """
    places = state.places()
    vouchers = _by_service(state.vouchers)
    drawn = dict(state.drawn)
    allocations: dict[Key, tuple[Allocation, ...]] = {}
    for entry in state.open_entries():
        if entry.id not in state.approved:
            continue
        if entry.billing is EntryBilling.NO_CHARGE:
            allocations[entry.id] = (_no_charge(entry, state.digits),)
            continue
        price = state.approved[entry.id]
        if price is None:
            raise ValueError(f"entry {entry.id} is billable and was approved without a price")
        contract, service = places[entry.service]
        pools = SETTLEMENTS[service.settlement].pools(
            contract, service, entry, _left(vouchers[service.id], drawn, entry.date)
        )
        holds = _holds(service) and entry.id not in state.released
        pieces = tuple(_pieces(entry, price, list(_draws(entry, pools, drawn)), holds, state.digits))
        for piece in pieces:
            if piece.pool is not None:
                drawn[piece.pool] = drawn.get(piece.pool, 0) + piece.minutes
        allocations[entry.id] = pieces
    return allocations


def _by_service(vouchers: Iterable[Voucher]) -> defaultdict[Key, list[Voucher]]:
    """Return the vouchers that each service may draw from, by service id, the one that expires first before others."""
    found: defaultdict[Key, list[Voucher]] = defaultdict(list)
    for voucher in sorted(vouchers, key=lambda voucher: (voucher.valid_until, voucher.sold, voucher.id)):
        for service in voucher.services:
            found[service].append(voucher)
    return found


def _left(vouchers: list[Voucher], drawn: Mapping[PoolKey, int], day: date) -> list[Voucher]:
    """Remove the vouchers at the front of the list that are expired on `day` or used up, and return the list.

    The list is changed in place: entries are allocated in the order of their days, so a voucher that has expired for
    one entry has expired for all later entries.
    """
    gone = takewhile(lambda one: one.valid_until <= day or drawn.get((one.id, None), 0) >= one.minutes, vouchers)
    del vouchers[: sum(1 for _ in gone)]
    return vouchers


def _holds(service: ServiceTerms) -> bool:
    return service.overflow is Overflow.HOLD and service.settlement is not Settlement.TIME_SPENT


def _no_charge(entry: Entry, digits: int) -> Allocation:
    return Allocation(entry.id, 0, AllocationKind.NO_CHARGE, entry.billable_minutes, round_half_up(Decimal(0), digits))


def _draws(entry: Entry, pools: Iterator[Pool], drawn: dict[PoolKey, int]) -> Iterator[tuple[Pool, int]]:
    """Yield each pool that `entry` draws from, with the minutes drawn, until the entry is covered or the pools run out.

    `drawn` holds the minutes that earlier entries drew from each pool.
    """
    rest = entry.billable_minutes
    while rest and (pool := next(pools, None)):
        minutes = min(rest, pool.minutes - drawn.get(pool.key, 0))
        if minutes > 0:
            rest -= minutes
            yield pool, minutes


def _pieces(
    entry: Entry, price: Price, draws: list[tuple[Pool, int]], holds: bool, digits: int
) -> Iterator[Allocation]:
    rest = entry.billable_minutes - sum(minutes for _, minutes in draws)
    kind = AllocationKind.CHARGED
    if rest and holds:
        kind, rest, draws = AllocationKind.HELD, entry.billable_minutes, []
    nothing = round_half_up(Decimal(0), digits)
    for place, (pool, minutes) in enumerate(draws):
        yield Allocation(entry.id, place, pool.kind, minutes, nothing, pool.key)
    if rest:
        amount = hourly_amount(rest, price.hourly_rate, digits)
        yield Allocation(entry.id, len(draws), kind, rest, amount, price=price)
