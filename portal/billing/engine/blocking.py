"""Refuse the approval of time beyond the prepaid minutes where the overflow of a service is `block` (C8, D24)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from portal.billing.engine.allocation import Sweep, add_draws, allocate, approved_entries, draws_minutes
from portal.billing.engine.terms import Key, Price, ServiceTerms
from portal.billing.engine.values import Allocation, BillingState, Entry, PoolKey
from portal.billing.engine.words import AllocationKind
from portal.words import Overflow, Settlement

Prices = Mapping[Key, Price | None]


class _Candidate(NamedTuple):
    """An entry to approve: its id, its minutes, and the pools that it may draw from."""

    id: Key
    minutes: int
    pools: tuple[PoolKey, ...]


def coverable(state: BillingState, prices: Prices) -> frozenset[Key]:
    """Return which of the entries in `prices` may be approved together at these prices.

    An entry counts as blocked if its service blocks time beyond the prepaid minutes, prepaid minutes may pay for the
    entry, and the entry is not released. All other entries may always be approved. A blocked entry may be approved only
    on two conditions: prepaid minutes cover it wholly, and they still cover all approved entries of blocking services.
    Prepaid minutes go first to approved entries, then to the entries in `prices` that are not blocked, and last to the
    blocked entries in the order of `Entry.order`.
    """
    entries = {entry.id: entry for entry in state.entries if entry.id in prices}
    places = state.places()
    blocked = [
        entry
        for entry in entries.values()
        if _blocks(places[entry.service][1]) and draws_minutes(entry) and entry.id not in state.released
    ]
    if not blocked:
        return frozenset(entries)
    free = {id: prices[id] for id in entries.keys() - {entry.id for entry in blocked}}
    before = _approving(state, free)
    kept = _fitting(before, prices, list(_left_over(before, prices, blocked)), _short(before), {})
    return frozenset(free) | kept


def _blocks(service: ServiceTerms) -> bool:
    return service.overflow is Overflow.BLOCK and service.settlement is not Settlement.TIME_SPENT


def _left_over(before: BillingState, prices: Prices, blocked: Sequence[Entry]) -> Iterator[_Candidate]:
    """Yield the `blocked` entries that the remaining prepaid minutes cover wholly.

    The approved entries draw prepaid minutes first, then the blocked entries one after the other. An entry that is not
    covered wholly draws none.
    """
    drawn = dict(before.drawn)
    for pieces in allocate(before).values():
        add_draws(drawn, pieces)
    sweep = Sweep(before, drawn)
    chosen = {entry.id for entry in blocked}
    for entry in approved_entries(_approving(before, {id: prices[id] for id in chosen})):
        if entry.id in chosen:
            pools = tuple(pool.key for pool in sweep.pools(entry))
            if not _is_short(sweep.allocate(entry, prices[entry.id])):
                yield _Candidate(entry.id, entry.billable_minutes, pools)


def _fitting(
    before: BillingState,
    prices: Prices,
    candidates: Sequence[_Candidate],
    short: frozenset[Key],
    refused: dict[tuple[PoolKey, ...], int],
) -> frozenset[Key]:
    """Return the candidates that can be approved together so that only the entries in `short` lack prepaid minutes.

    The entries in `short` lack prepaid minutes in any case. First, all candidates are tried together. If that
    fails, the first half is tried, and then the second half together with the accepted candidates of the first half.
    `refused`, which this function fills, maps pools to the fewest minutes of a refused entry with these pools. An entry
    with the same pools and at least as many minutes is not tried.
    """
    tried = [each for each in candidates if each.minutes < refused.get(each.pools, each.minutes + 1)]
    if _short(_approving(before, {each.id: prices[each.id] for each in tried})) <= short:
        return frozenset(each.id for each in tried)
    if len(tried) == 1:
        refused[tried[0].pools] = tried[0].minutes
        return frozenset()
    half = len(tried) // 2
    first = _fitting(before, prices, tried[:half], short, refused)
    beside = _approving(before, {id: prices[id] for id in first})
    return first | _fitting(beside, prices, tried[half:], short, refused)


def _approving(state: BillingState, prices: Prices) -> BillingState:
    return replace(state, approved={**state.approved, **prices})


def _short(state: BillingState) -> frozenset[Key]:
    """Return the approved entries of blocking services that prepaid minutes do not cover as a whole."""
    services = {entry.id: entry.service for entry in state.entries}
    places = state.places()
    return frozenset(
        id for id, pieces in allocate(state).items() if _is_short(pieces) and _blocks(places[services[id]][1])
    )


def _is_short(pieces: Sequence[Allocation]) -> bool:
    return any(piece.kind is AllocationKind.HELD for piece in pieces)
