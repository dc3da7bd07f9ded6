"""Approve, withdraw and release: each gives the state after it, and what was refused with its reason."""

from collections.abc import Iterable
from dataclasses import replace

from portal.billing.engine.rates import price_for
from portal.billing.engine.values import Contract, Entry, Key, Rate, Service, State
from portal.billing.engine.words import EntryBilling, RefusalReason

Refused = tuple[tuple[Key, RefusalReason], ...]


def refusal(entry: Entry, contract: Contract, service: Service, rates: Iterable[Rate]) -> RefusalReason | None:
    """The first reason why `entry` cannot be approved. What is not billable never has one."""
    if not entry.is_documented:
        return None
    if entry.date < max(contract.start, service.effective_start):
        return RefusalReason.BEFORE_SERVICE_START
    if contract.end is not None and entry.date >= contract.end:
        return RefusalReason.AFTER_CONTRACT_END
    if entry.billing is EntryBilling.BILLABLE and price_for(entry, service, rates) is None:
        return RefusalReason.NO_RATE
    return None


def approve(state: State, ids: Iterable[Key], rates: Iterable[Rate]) -> tuple[State, Refused]:
    """Approve the entries `ids` at the prices of `rates`. What is approved or settled already is left as it is."""
    rates = tuple(rates)
    entries = {entry.id: entry for entry in state.entries}
    places = state.places()
    approved = dict(state.approved)
    refused: list[tuple[Key, RefusalReason]] = []
    for id in ids:
        if id in approved:
            continue
        entry = entries[id]
        contract, service = places[entry.service]
        reason = refusal(entry, contract, service, rates)
        if reason is None:
            billable = entry.billing is EntryBilling.BILLABLE
            approved[id] = price_for(entry, service, rates) if billable else None
        else:
            refused.append((id, reason))
    return replace(state, approved=approved), tuple(refused)


def withdraw(state: State, ids: Iterable[Key]) -> tuple[State, Refused]:
    """Make approved entries submitted ones again; settled ones are refused, submitted ones stay so."""
    ids = tuple(ids)
    refused = tuple((id, RefusalReason.SETTLED) for id in ids if id in state.settled)
    taken_back = set(ids) - set(state.settled)
    approved = {id: price for id, price in state.approved.items() if id not in taken_back}
    return replace(state, approved=approved), refused


def release(state: State, ids: Iterable[Key]) -> State:
    """Charge what these entries hold, from now on; nothing happens to settled ones."""
    return replace(state, released=state.released | (set(ids) - set(state.settled)))
