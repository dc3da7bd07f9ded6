"""Approve or reject time, as a manager.

Both functions first lock the customers of the entries, in the order of the ids, so that two managers never decide on
the same entry at the same time. At the end they recompute the allocations (D21). An entry that must not be approved or
rejected is reported with a sentence; the decision on the other entries stands (D35).
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from portal.billing import book
from portal.billing.allocations import by_customer
from portal.billing.book import Row
from portal.billing.bounds import Room, nets_beside
from portal.billing.chosen import Choice, Outcome, chosen, customers_of, why_not
from portal.billing.engine import (
    Contract,
    Entry,
    EntryBilling,
    Key,
    Price,
    RateTable,
    RefusalReason,
    Service,
    verdict,
)
from portal.billing.sentences import REFUSED
from portal.database import current
from portal.errors import Conflict, Invalid
from portal.people.readers import AgentReader
from portal.timekeeping import states, traces
from portal.visible import visible

LONGEST_REASON = 1000


async def approve(choices: Iterable[Choice], *, by: AgentReader, at: datetime) -> Outcome:
    """Approve each chosen entry in the version that the manager saw, and fix its price (C12, D17).

    A draft entry is submitted and approved at once (C4). Return the entries that were approved and those that were
    refused. All approvals of one call share a `decision`, the id by which they can be withdrawn together.

    An entry is refused, with a sentence, if it is the manager's own time (D33), if `by` is not designated for its
    department and no admin (C10), if somebody changed or decided on it meanwhile, if its day is outside the contract,
    if it has no price (D19), or if the contract would have more to bill than one document can hold. Raise `Forbidden`
    if `by` is no manager, `Invalid` if no entry was chosen.
    """
    decision = uuid.uuid4()
    return await _decide(choices, by, at, _approve_one(by, at, decision), decision)


async def reject(choices: Iterable[Choice], *, reason: str, by: AgentReader, at: datetime) -> Outcome:
    """Send the chosen entries back to their authors, who may change them for 24 hours from `at` (C3, C5).

    Return the entries that were rejected and those that were refused, as `approve` does. Raise `Invalid` if the reason
    is empty or longer than `LONGEST_REASON` characters.
    """
    reason = visible(reason).strip()
    if not reason:
        raise Invalid({"reason": "Say why, so that the author knows what to change."})
    if len(reason) > LONGEST_REASON:
        raise Invalid({"reason": f"Use at most {LONGEST_REASON} characters."})

    async def reject_one(row: Row, prices: "_Prices") -> None:
        entry = await states.mark_rejected(row["id"], row["version"], at=at)
        await current().execute(
            "insert into rejection (entry_id, version, rejected_by_id, reason, rejected_at) values ($1, $2, $3, $4, $5)",
            row["id"], row["version"], by.id, reason, at,
        )  # fmt: skip
        await traces.notify(entry, "time.rejected", by, at)

    return await _decide(choices, by, at, reject_one)


class _Prices:
    """The hourly prices of the chosen entries, and by contract the running total of what is to bill.

    `others` holds, by contract, the net amounts of the approved entries that are not in `books`.
    """

    def __init__(self, books: Collection[book.Book], others: Mapping[Key, Decimal]) -> None:
        self._places: dict[Any, tuple[Entry, Contract, Service, RateTable]] = {}
        self._rooms: dict[Any, Room] = {}
        for each in books:
            places = each.state.places()
            self._places |= {entry.id: (entry, *places[entry.service], each.rates) for entry in each.state.entries}
            self._rooms |= dict.fromkeys((entry.id for entry in each.state.entries), Room(each.state, others))

    def of(self, row: Row) -> Price | None:
        """Return the price of an hour of an entry, or None if the entry needs no price.

        Raise `Invalid` with a sentence if the entry must not be approved.
        """
        if row["billing"] == EntryBilling.NOT_BILLABLE:
            return None
        entry, contract, service, rates = self._places[row["id"]]
        found = verdict(entry, contract, service, rates)
        if isinstance(found, RefusalReason):
            raise Invalid({"": REFUSED[found].format(entry=entry, contract=contract, service=service)})
        if not self._rooms[row["id"]].has(entry, found):
            raise Invalid({"": REFUSED["too_large"].format(contract=contract)})
        return found

    def take(self, row: Row, price: Price | None) -> None:
        """Add an entry, approved at `price`, to the total that its contract has to bill."""
        if row["id"] in self._places:
            self._rooms[row["id"]].take(self._places[row["id"]][0], price)


_Step = Callable[[Row, _Prices], Any]


def _approve_one(by: AgentReader, at: datetime, decision: uuid.UUID) -> _Step:
    async def step(row: Row, prices: _Prices) -> None:
        price = prices.of(row)
        implied = row["state"] == "draft"
        entry = await states.mark_approved(row["id"], row["version"], at=at)
        await current().execute(
            "insert into approval (customer_id, entry_id, agent_id, approved_by_id, version, hourly_rate, rate_source, rate_id, role_name,"
            " submission_implied, approved_at, decision) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            row["customer_id"], row["id"], row["agent_id"], by.id, row["version"], price.hourly_rate if price else None,
            price.source.value if price else None, price.rate if price else None, row["role_name"], implied, at, decision,
        )  # fmt: skip
        prices.take(row, price)
        await traces.notify(entry, "time.approved", by, at)

    return step


async def _decide(
    choices: Iterable[Choice], by: AgentReader, at: datetime, step: _Step, decision: uuid.UUID | None = None
) -> Outcome:
    seen = {choice.entry_id: choice.version for choice in choices}
    rows = await chosen(seen, by)
    if not seen:
        raise Invalid({"entry": "Tick at least one entry."})
    customers = customers_of(rows.values())
    prices = _Prices(await book.load_these(customers, seen), await nets_beside(customers, seen))

    async def decide_on(entry_id: int) -> None:
        row = rows.get(entry_id)
        if no := Conflict(REFUSED["gone"]) if row is None else why_not(row, by, seen[entry_id]):
            raise no
        await step(row, prices)

    report = await by_customer(sorted(seen), rows, decide_on)
    return Outcome.of(report, rows, decision)
