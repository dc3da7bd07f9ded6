"""Compute what entries that wait for approval would cost if they were approved now, or why they would be refused; and what a project costs."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from portal.billing import book
from portal.billing.book import Book
from portal.billing.engine import Allocation, AllocationKind, RefusalReason, allocate, approve
from portal.billing.sentences import COVERED_BY, REFUSED
from portal.database import current

WITHOUT_PRICE = {
    RefusalReason.BEFORE_SERVICE_START: "outside of the contract",
    RefusalReason.AFTER_CONTRACT_END: "outside of the contract",
    RefusalReason.NO_RATE: "no rate",
    RefusalReason.NO_ROLE: "no role",
}
"""What a page shows in place of an amount, by the reason why the engine refuses to approve."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Hold what an entry would cost: an `amount` in `currency`, or None and the word shown `instead`.

    `refusal` is the sentence against approving the entry, or "".
    """

    amount: Decimal | None = None
    currency: str = ""
    instead: str = "not billable"
    refusal: str = ""


class Priced(Protocol):
    """Describe anything that has a cost."""

    @property
    def cost(self) -> Cost: ...


def amounts_of(entries: Iterable[Priced]) -> dict[str, Decimal]:
    """Return the sums of the amounts by currency; amounts in different currencies are never added up."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for entry in entries:
        if entry.cost.amount is not None:
            sums[entry.cost.currency] += entry.cost.amount
    return dict(sums)


async def costs_of(customer_ids: Collection[int], entry_ids: Collection[int]) -> dict[int, Cost]:
    """Return the cost of each of these entries by id, as the engine would allocate them if all were approved now.

    `customer_ids` are their customers. An entry that no document may hold has no cost. The engine runs in a thread,
    because it takes long where many entries share prepaid minutes and would block all other requests.
    """
    books = await book.load_these(customer_ids, entry_ids)
    return await asyncio.to_thread(lambda: dict(cost for of in books for cost in _costs(of, set(entry_ids))))


def _costs(of: Book, wanted: set[int]) -> Iterator[tuple[int, Cost]]:
    entries = {int(entry.id): entry for entry in of.state.entries if entry.id in wanted}
    state, refused = approve(of.state, entries, of.rates)
    places = state.places()
    for id, reason in refused:
        entry = entries[int(id)]
        contract, service = places[entry.service]
        sentence = REFUSED[reason].format(entry=entry, contract=contract, service=service)
        yield int(id), Cost(currency=of.currency, instead=WITHOUT_PRICE[reason], refusal=sentence)
    for id, pieces in allocate(state).items():
        if int(id) in entries:
            yield int(id), _cost(pieces, of.currency)


def _cost(pieces: tuple[Allocation, ...], currency: str) -> Cost:
    charged = [piece.amount for piece in pieces if piece.kind is AllocationKind.CHARGED]
    if charged:
        return Cost(sum(charged, Decimal(0)), currency, "")
    return Cost(None, currency, COVERED_BY[pieces[0].kind.value] if pieces else COVERED_BY["no_charge"])


async def charged_on_project(project_id: int) -> Decimal:
    """Return the sum of what the approved time of a project is charged with, in the currency of its contract."""
    amount: Decimal = await current().fetchval(
        "select coalesce(sum(a.amount), 0) from time_entry e join allocation a on a.entry_id = e.id"
        " where e.project_id = $1 and a.kind = 'charged'",
        project_id,
    )
    return amount
