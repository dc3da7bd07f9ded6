"""Store the allocations of time entries as rows.

An allocation says what pays for a piece of an entry. It may change until a document (draft, invoice or statement) has
settled the entry.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence

from piccolo.columns import BigInt, BigSerial, Char, Integer, Numeric, SmallInt, Text
from piccolo.table import Table

from portal.billing import book
from portal.billing.book import Book, Row
from portal.billing.engine import Allocation, Key, allocate
from portal.database import current
from portal.database.batches import Report, all_or_report, halves_or_report
from portal.database.rows import AT_ONCE, insert_all


class StoredAllocation(Table, tablename="allocation"):
    """An allocation as a row. `hourly_rate` and `rate_source` are None unless its minutes are charged or held."""

    id = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    entry_id = BigInt(default=None)
    position = SmallInt(default=None)
    kind = Text(default=None)
    minutes = Integer(default=None)
    hourly_rate = Numeric(digits=(12, 4), null=True, default=None)
    rate_source = Text(null=True, default=None)
    currency = Char(length=3, default=None)
    amount = Numeric(digits=(15, 3), default=None)


async def reallocate(customer_ids: Collection[int], changed: Collection[int] = ()) -> None:
    """Recompute the allocations of the entries `changed` and of those that compete with them for prepaid minutes (D21).

    `customer_ids` are the customers of these entries; the caller must have locked them. An entry under a service
    without prepaid minutes does not depend on other entries, so it is recomputed only if `changed` contains it.
    """
    for each in await book.load_these(customer_ids, changed):
        await write(each)


async def by_customer(
    entry_ids: Iterable[int], rows: Mapping[int, Row], step: Callable[[Sequence[int]], Awaitable[None]]
) -> Report[int, None]:
    """Run `step` for these entries, recompute the allocations, and report the entries that were refused.

    `rows` holds the rows of the entries by id; the caller must have locked their customers. The customers are processed
    in groups, because few statements for many entries cost least. If a group fails, its halves are tried, and so on until
    only the customers remain that fail alone. For each of these, `step` is run for smaller groups of entries, so that only
    those entries are refused because of which it raises; if the allocations of the customer cannot be recomputed, all of
    the customer's entries are refused. General time, which has no customer and no allocations, counts as one customer.
    """
    entries: dict[int | None, list[int]] = defaultdict(list)
    for entry_id in entry_ids:
        entries[rows[entry_id]["customer_id"]].append(entry_id)

    async def at_once(customers: Sequence[int | None]) -> None:
        ids = [entry_id for customer in customers for entry_id in entries[customer]]
        await step(ids)
        await reallocate([customer for customer in customers if customer is not None], ids)

    async def for_one(customer: int | None) -> Report[int, None]:
        report = await halves_or_report(entries[customer], step, reader=current().reader)
        if report.done and customer is not None:
            await reallocate([customer], list(report.done))
        return report

    whole, difficult = Report[int, None](), list[int | None]()
    for group in _groups(entries):
        together = await halves_or_report(group, at_once, reader=current().reader)
        whole.done |= {entry_id: None for customer in together.done for entry_id in entries[customer]}
        difficult += together.refused
    hard = await all_or_report(difficult, for_one, reader=current().reader)
    for report in hard.done.values():
        whole.done |= report.done
        whole.refused |= report.refused
    for customer, reason in hard.refused.items():
        whole.refused |= dict.fromkeys(entries[customer], reason)
    return whole


def _groups(entries: Mapping[int | None, Sequence[int]]) -> Iterator[list[int | None]]:
    """Yield groups of customers that have about `AT_ONCE` entries together, so that other requests run between them."""
    group, size = list[int | None](), 0
    for customer, ids in entries.items():
        group, size = [*group, customer], size + len(ids)
        if size >= AT_ONCE:
            yield group
            group, size = [], 0
    if group:
        yield group


async def write(of: Book) -> None:
    """Store the allocations that the engine computes for the open entries of the book `of`.

    The stored rows of an entry are not touched if they equal the computed allocations. The engine runs in a worker
    thread, so that other requests are answered while it computes.
    """
    computed = await asyncio.to_thread(_computed, of)
    stored = await _stored([int(entry.id) for entry in of.state.entries])
    gone = [id for id, pieces in stored.items() if pieces != computed.get(id, [])]
    await current().execute("delete from allocation where entry_id = any($1)", gone)
    rows = [
        {"customer_id": of.customer_id, "entry_id": id, "currency": of.currency, **columns}
        for id, pieces in computed.items()
        if id not in stored or id in gone
        for columns in pieces
    ]
    await insert_all(StoredAllocation, rows)


def _computed(of: Book) -> dict[Key, list[dict[str, object]]]:
    """Return the columns of the allocations that the engine computes for the book, by entry id."""
    return {id: [_columns(piece) for piece in pieces] for id, pieces in allocate(of.state).items()}


async def _stored(entry_ids: list[int]) -> dict[int, list[dict[str, object]]]:
    """Return the stored allocations of these entries, by entry id, without the entries that a document has settled."""
    pieces = defaultdict(list)
    for row in await current().fetch(
        "select a.entry_id, a.position, a.kind, a.minutes, a.hourly_rate, a.rate_source, a.amount from allocation a"
        " where a.entry_id = any($1) and not exists (select 1 from settled_entry d where d.entry_id = a.entry_id)"
        " order by a.entry_id, a.position",
        entry_ids,
    ):
        columns = dict(row)
        pieces[columns.pop("entry_id")].append(columns)
    return pieces


def _columns(piece: Allocation) -> dict[str, object]:
    """Return the values of an allocation by the names of its columns."""
    return {
        "position": piece.place,
        "kind": piece.kind.value,
        "minutes": piece.minutes,
        "hourly_rate": piece.price.hourly_rate if piece.price else None,
        "rate_source": piece.price.source.value if piece.price else None,
        "amount": piece.amount,
    }
