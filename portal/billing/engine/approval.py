"""Approve, withdraw and release entries.

Each function returns a new state; `approve` and `withdraw` also return the refused entries with the reasons.
"""

from collections.abc import Iterable
from dataclasses import replace

from portal.billing.engine.rates import RateTable, price_for
from portal.billing.engine.values import BillingState, ContractTerms, Entry, Key, Price, ServiceTerms
from portal.billing.engine.words import RefusalReason
from portal.words import EntryBilling, Rollup

Refusals = tuple[tuple[Key, RefusalReason], ...]


def verdict(
    entry: Entry, contract: ContractTerms, service: ServiceTerms, rates: RateTable
) -> RefusalReason | Price | None:
    """Return the first reason against approving `entry`, or, if there is none, the price that its approval fixes.

    None means that the entry may be approved and needs no price. An entry that is not billable is never refused.
    """
    if not entry.is_documented:
        return None
    if entry.date < max(contract.start, service.effective_start):
        return RefusalReason.BEFORE_SERVICE_START
    if contract.end is not None and entry.date >= contract.end:
        return RefusalReason.AFTER_CONTRACT_END
    if entry.billing is not EntryBilling.BILLABLE:
        return None
    price = price_for(entry, service, rates)
    if price is not None and service.rollup is Rollup.ROLE and entry.role is None:
        return RefusalReason.NO_ROLE
    return price or RefusalReason.NO_RATE


def approve(state: BillingState, ids: Iterable[Key], rates: RateTable) -> tuple[BillingState, Refusals]:
    """Approve the entries `ids`, each at the price that `verdict` finds, and return the new state and the refused entries.

    Entries that are approved or settled already do not change.
    """
    ids = tuple(ids)
    named = frozenset(ids)
    entries = {entry.id: entry for entry in state.entries if entry.id in named}
    places = state.places()
    approved = dict(state.approved)
    refused: list[tuple[Key, RefusalReason]] = []
    for id in ids:
        if id in approved:
            continue
        entry = entries[id]
        found = verdict(entry, *places[entry.service], rates)
        if isinstance(found, RefusalReason):
            refused.append((id, found))
        else:
            approved[id] = found
    return replace(state, approved=approved), tuple(refused)


def withdraw(state: BillingState, ids: Iterable[Key]) -> tuple[BillingState, Refusals]:
    """Withdraw the approvals of the entries `ids`, and return the new state and the refused entries.

    Settled entries are refused; entries that are not approved do not change.
    """
    ids = tuple(ids)
    refused = tuple((id, RefusalReason.SETTLED) for id in ids if id in state.settled)
    taken_back = set(ids) - set(state.settled)
    approved = {id: price for id, price in state.approved.items() if id not in taken_back}
    return replace(state, approved=approved), refused


def release(state: BillingState, ids: Iterable[Key]) -> BillingState:
    """Charge the held minutes of these entries from now on, and return the new state. Settled entries do not change."""
    return replace(state, released=state.released | (set(ids) - set(state.settled)))
