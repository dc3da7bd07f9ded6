"""Compute what waiting entries would cost if approved now, and what the approved time of a project costs."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from portal.billing.allocating import book
from portal.billing.allocating.book import Book
from portal.billing.engine import Allocation, AllocationKind, RefusalReason, allocate, approve
from portal.billing.sentences import COVERED_BY, REFUSED
from portal.database import current

WITHOUT_PRICE = {
    RefusalReason.BEFORE_SERVICE_START: "outside the contract",
    RefusalReason.AFTER_CONTRACT_END: "outside the contract",
    RefusalReason.NO_RATE: "no rate",
    RefusalReason.NO_ROLE: "no role",
    RefusalReason.BEYOND_PREPAID: "beyond the prepaid hours",
}
"""The words that a page shows instead of an amount, by the reason why the approval would be refused."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an entry would cost the customer: `amount` in `currency`.

    If `amount` is None, pages show the words `instead`, such as "no rate" or "included hours". `refusal` is the error
    message that says why the entry cannot be approved, or "" if it can. `minutes` are the billable minutes that the
    entry would have after the approval, or None if it cannot be approved or is not billable. They differ from the
    entry's present billable minutes if the service rounds by day and the rounding changes them.
    """

    amount: Decimal | None = None
    currency: str = ""
    instead: str = "not billable"
    refusal: str = ""
    minutes: int | None = None


class Priced(Protocol):
    """An object with the attribute `cost`, which `amounts_of` can add up."""

    @property
    def cost(self) -> Cost: ...


def amounts_of(entries: Iterable[Priced]) -> dict[str, Decimal]:
    """Return the sums of the entries' amounts by currency; amounts in different currencies are never added up."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for entry in entries:
        if entry.cost.amount is not None:
            sums[entry.cost.currency] += entry.cost.amount
    return dict(sums)


async def costs_of(customer_ids: Collection[int], entry_ids: Collection[int]) -> dict[int, Cost]:
    """Return what each of these entries would cost if all of them were approved now, by entry id. Nothing is stored.

    `customer_ids` are the customers of the entries. An entry that is not billable, or that a document has settled, is
    missing from the result. The engine runs in a worker thread, so that it does not block the event loop while many
    entries compete for prepaid minutes.
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
    minutes = sum(piece.minutes for piece in pieces)
    if charged:
        return Cost(sum(charged, Decimal(0)), currency, "", minutes=minutes)
    words = COVERED_BY[pieces[0].kind.value] if pieces else COVERED_BY["no_charge"]
    return Cost(None, currency, words, minutes=minutes)


async def charged_on_projects(project_ids: Sequence[int]) -> dict[int, Decimal]:
    """Return what is charged for the approved time of each of these projects, by project id.

    The sum is 0 if nothing is charged. It is in the currency of the project's contract.
    """
    rows = await current().fetch(
        "select e.project_id, sum(a.amount) as amount from time_entry e join allocation a on a.entry_id = e.id"
        " where e.project_id = any($1) and a.kind = 'charged' group by e.project_id",
        list(project_ids),
    )
    found = {row["project_id"]: row["amount"] for row in rows}
    return {id: found.get(id, Decimal(0)) for id in project_ids}


async def charged_on_project(project_id: int) -> Decimal:
    """Return what is charged for the approved time of a project, in the currency of the project's contract."""
    amount: Decimal = await current().fetchval(
        "select coalesce(sum(a.amount), 0) from time_entry e join allocation a on a.entry_id = e.id"
        " where e.project_id = $1 and a.kind = 'charged'",
        project_id,
    )
    return amount
