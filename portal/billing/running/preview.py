"""Show what a billing run would make and skip. The engine computes the same as for the run, but nothing is stored."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from portal.billing.allocating.book import Book
from portal.billing.bounds import fitting, too_large, unfitting
from portal.billing.engine import AllocationKind, Billing, Document, Entry, LineKind, SkipReason
from portal.billing.running.due import BookKey, billed_of, customers_due, due, is_inside_period, load_books, name_of
from portal.billing.running.skipping import FAILED, TOO_LARGE
from portal.database import current
from portal.database.batches import Report
from portal.folding import folded


@dataclass(frozen=True, slots=True)
class Becoming:
    """A document that a billing run would make: its minutes, and its amounts in `currency`.

    `kind` is a member of `DocumentKind`. `net` is the sum of `time`, the charged time, and `fees`, which include
    vouchers. `open_count` and `held_count` are numbers of entries of the contract that the run would skip: `open_count`
    because they are not approved, `held_count` because they are held. `is_inside_period` says whether the run would cut
    a billing period in two.
    """

    customer_id: int
    customer_name: str
    contract_name: str
    kind: str
    currency: str
    covered_minutes: int
    charged_minutes: int
    fees: Decimal
    time: Decimal
    net: Decimal
    open_count: int
    held_count: int
    is_inside_period: bool


@dataclass(frozen=True, slots=True)
class Omitted:
    """The entries of one customer in one currency that a billing run would skip for the same reason.

    `reason` is a key of `sentences.SKIPPED`. `count` is the number of the entries, `minutes` are their billable
    minutes, `agents` the names of the agents who logged the time, and `first` and `last` the earliest and the latest
    day.
    """

    customer_id: int
    customer_name: str
    reason: str
    count: int
    minutes: int
    agents: tuple[str, ...]
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class TooLarge:
    """An invoice with fees and vouchers but no time, which a billing run would skip, because its amounts are too large."""

    customer_id: int
    customer_name: str
    contract_name: str


@dataclass(frozen=True, slots=True)
class Sum:
    """The totals of all documents in one currency; amounts in different currencies are never added up."""

    currency: str
    covered_minutes: int
    charged_minutes: int
    fees: Decimal
    time: Decimal
    net: Decimal


@dataclass(frozen=True, slots=True)
class Preview:
    """What a billing run for the days before `until` would do now.

    The run would make `documents`, skip the entries in `omitted`, and leave out the documents in `too_large`.
    """

    until: date
    documents: tuple[Becoming, ...]
    omitted: tuple[Omitted, ...]
    too_large: tuple[TooLarge, ...] = ()

    @property
    def invoice_count(self) -> int:
        """Return how many draft invoices the billing run would make."""
        return sum(document.kind == "invoice" for document in self.documents)

    @property
    def statement_count(self) -> int:
        """Return how many statements the billing run would make."""
        return len(self.documents) - self.invoice_count

    @property
    def omitted_minutes(self) -> int:
        """Return how many billable minutes the billing run would skip."""
        return sum(omitted.minutes for omitted in self.omitted)

    @property
    def cuts_a_period(self) -> bool:
        """Return whether `until` cuts in two a billing period of a contract that the run would bill."""
        return any(document.is_inside_period for document in self.documents)

    @property
    def sums(self) -> list[Sum]:
        """Return the totals of the documents, one for each currency."""
        groups: dict[str, list[Becoming]] = defaultdict(list)
        for document in self.documents:
            groups[document.currency].append(document)
        return [_sum(currency, documents) for currency, documents in sorted(groups.items())]


def _sum(currency: str, documents: Sequence[Becoming]) -> Sum:
    return Sum(
        currency,
        sum(document.covered_minutes for document in documents),
        sum(document.charged_minutes for document in documents),
        sum((document.fees for document in documents), Decimal(0)),
        sum((document.time for document in documents), Decimal(0)),
        sum((document.net for document in documents), Decimal(0)),
    )


AT_ONCE = 50
"""The maximum number of customers whose books are in memory at the same time."""


async def preview_run(until: date) -> Preview:
    """Compute what a billing run up to `until` for all customers would do; store nothing.

    The books of at most `AT_ONCE` customers are in memory at the same time; only the rows of the preview are kept for
    all customers.
    """
    ids = list(await customers_due(until))
    documents, omitted, large = list[Becoming](), list[Omitted](), list[TooLarge]()
    for begin in range(0, len(ids), AT_ONCE):
        some = ids[begin : begin + AT_ONCE]
        books = await load_books(some, until)
        billed, names = await billed_of(books, until), await _names(some)
        part = await asyncio.to_thread(_rows, until, books, billed, names)
        documents += part[0]
        omitted += part[1]
        large += [
            TooLarge(key[0], names[key[0]], name_of(books[key], document))
            for key, billing in billed.done.items()
            for document in unfitting(billing)
            if not document.detail
        ]
    return Preview(
        until,
        tuple(sorted(documents, key=lambda document: (folded(document.customer_name), document.customer_id))),
        tuple(sorted(omitted, key=lambda row: (row.reason, folded(row.customer_name)))),
        tuple(sorted(large, key=lambda row: folded(row.customer_name))),
    )


def _rows(
    until: date, books: Mapping[BookKey, Book], billed: Report[BookKey, Billing], names: dict[int, str]
) -> tuple[list[Becoming], list[Omitted]]:
    """Return the rows of the preview for documents and for omitted entries; documents that are too large are left out.

    `billed` holds the engine's results for `books`, and `names` the names of the customers by id.
    """
    documents = [
        _becoming(names, books[key], billing, document)
        for key, billing in billed.done.items()
        for document in fitting(billing)
    ]
    omitted = [row for key, billing in billed.done.items() for row in _omitted(names, books[key], billing)]
    omitted += [_failed(names, books[key], until) for key in billed.refused if due(books[key], until)]
    return documents, omitted


async def _names(customer_ids: Collection[int]) -> dict[int, str]:
    rows = await current().fetch("select id, name from customer where id = any($1)", list(customer_ids))
    return {row["id"]: row["name"] for row in rows}


def _becoming(names: dict[int, str], of: Book, billing: Billing, document: Document) -> Becoming:
    contract = next(contract for contract in of.state.contracts if contract.id == document.contract)
    services = {service.id for service in contract.services}
    entries = {entry.id: entry for entry in of.state.entries}
    left = [skipped.reason for skipped in billing.skipped if entries[skipped.entry].service in services]
    charged = [piece.minutes for piece in document.allocations if piece.kind is AllocationKind.CHARGED]
    time = sum((line.net for line in document.lines if line.kind is LineKind.TIME), Decimal(0))
    return Becoming(
        customer_id=of.customer_id,
        customer_name=names[of.customer_id],
        contract_name=contract.name,
        kind=document.kind.value,
        currency=of.currency,
        covered_minutes=sum(piece.minutes for piece in document.allocations) - sum(charged),
        charged_minutes=sum(charged),
        fees=document.net - time,
        time=time,
        net=document.net,
        open_count=left.count(SkipReason.NOT_APPROVED),
        held_count=left.count(SkipReason.HELD),
        is_inside_period=is_inside_period(of, int(contract.id), document.until),
    )


def _omitted(names: dict[int, str], of: Book, billing: Billing) -> Iterable[Omitted]:
    entries = {entry.id: entry for entry in of.state.entries}
    groups: dict[str, list[Entry]] = defaultdict(list)
    for skipped in billing.skipped:
        groups[skipped.reason.value].append(entries[skipped.entry])
    if left_out := too_large(billing):
        groups[TOO_LARGE] = [entries[id] for id in left_out]
    for reason, group in groups.items():
        yield _group(names, of, reason, group)


def _failed(names: dict[int, str], of: Book, until: date) -> Omitted:
    return _group(names, of, FAILED, due(of, until))


def _group(names: dict[int, str], of: Book, reason: str, entries: Sequence[Entry]) -> Omitted:
    return Omitted(
        customer_id=of.customer_id,
        customer_name=names[of.customer_id],
        reason=reason,
        count=len(entries),
        minutes=sum(entry.billable_minutes for entry in entries),
        agents=tuple(sorted({entry.agent_name for entry in entries}, key=folded)),
        first=min(entry.date for entry in entries),
        last=max(entry.date for entry in entries),
    )
