"""Approve, withdraw and release entries.

Each function returns a new state; `approve` and `withdraw` also return the refused entries with the reasons.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date

from portal.billing.engine.allocation import approved_entries
from portal.billing.engine.blocking import coverable
from portal.billing.engine.rates import RateTable, price_for
from portal.billing.engine.terms import ContractTerms, Key, Price, ServiceTerms
from portal.billing.engine.values import BillingState, Entry
from portal.billing.engine.words import RefusalReason
from portal.words import EntryBilling, Rollup

LONGEST_COUNTED = 2880
"""The maximum number of billable minutes of one entry; the table of time entries accepts no more."""

Refusals = tuple[tuple[Key, RefusalReason], ...]


def verdict(
    entry: Entry, contract: ContractTerms, service: ServiceTerms, rates: RateTable
) -> RefusalReason | Price | None:
    """Return the first reason to refuse the approval of `entry`, or else the price that its approval fixes.

    None means that the entry may be approved and needs no price. An entry that is not billable is never refused.
    Whether prepaid minutes cover the entry depends on other entries: see `coverable`.
    """
    if not entry.is_documented:
        return None
    if outside := _outside(entry, contract, service):
        return outside
    if entry.billing is not EntryBilling.BILLABLE:
        return None
    price = None if entry.fixed_fee is not None else price_for(entry, service, rates)
    if price is None and entry.fixed_fee is None:
        return RefusalReason.NO_RATE
    if service.rollup is Rollup.ROLE and entry.role is None:
        return RefusalReason.NO_ROLE
    return price


def _outside(entry: Entry, contract: ContractTerms, service: ServiceTerms) -> RefusalReason | None:
    if entry.date < max(contract.start, service.effective_start):
        return RefusalReason.BEFORE_SERVICE_START
    if contract.end is not None and entry.date >= contract.end:
        return RefusalReason.AFTER_CONTRACT_END
    return None


def approve(state: BillingState, ids: Iterable[Key], rates: RateTable) -> tuple[BillingState, Refusals]:
    """Approve the entries `ids`, each at the price that `verdict` finds.

    Return the new state and the refused entries. Entries that are approved or settled already do not change. If the
    service blocks time beyond the prepaid minutes, an entry that `coverable` does not return is refused.
    """
    ids = tuple(ids)
    named = frozenset(ids)
    entries = {entry.id: entry for entry in state.entries if entry.id in named}
    places = state.places()
    found = {id: verdict(entries[id], *places[entries[id].service], rates) for id in ids if id not in state.approved}
    prices = {id: price for id, price in found.items() if not isinstance(price, RefusalReason)}
    accepted = coverable(state, prices)
    refused = {id: reason for id, reason in found.items() if isinstance(reason, RefusalReason)}
    refused |= {id: RefusalReason.BEYOND_PREPAID for id in prices if id not in accepted}
    approved = {**state.approved, **{id: prices[id] for id in ids if id in accepted}}
    return replace(state, approved=approved), tuple((id, refused[id]) for id in ids if id in refused)


def overlong(state: BillingState, prices: Mapping[Key, Price | None]) -> frozenset[Key]:
    """Return the entries in `prices` that must not be approved, because rounding by day would make an entry too long.

    An entry is too long if it would have more than `LONGEST_COUNTED` billable minutes once all entries in `prices` are
    approved. In that case, return all entries in `prices` with the same agent, service and day.
    """
    approved = approved_entries(replace(state, approved={**state.approved, **prices}))
    days = {_day(entry) for entry in approved if entry.billable_minutes > LONGEST_COUNTED}
    return frozenset(entry.id for entry in state.entries if days and entry.id in prices and _day(entry) in days)


def _day(entry: Entry) -> tuple[Key, Key, date]:
    return entry.service, entry.agent, entry.date


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
    settled = state.settled.keys() - state.freed.keys()
    return replace(state, released=state.released | (set(ids) - settled))
