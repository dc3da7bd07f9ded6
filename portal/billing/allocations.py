"""Allocations as rows: provisional while their entry is open, frozen once a document has settled it."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

from portal.billing import book
from portal.billing.book import Book, Row
from portal.billing.engine import Allocation, Key, allocate
from portal.database import current
from portal.database.batches import Report, all_or_report


async def allocate_anew(customer_ids: Collection[int], changed: Collection[int] = ()) -> None:
    """Split the entries `changed`, and all others that share included or prepaid minutes with them, as the engine says (D21).

    The customers are theirs, and are locked. What is charged by time alone depends on no other entry, so it is left alone unless it changed.
    """
    for each in await book.load_these(customer_ids, changed):
        await write(each)


async def by_customer(
    entry_ids: Iterable[int], rows: Mapping[int, Row], step: Callable[[int], Awaitable[None]]
) -> Report[int, None]:
    """Do `step` for each entry, and allocate the entries of each customer anew; what cannot be done is reported (design manner 21).

    `rows` are the entries, with their customers locked. A customer's entries are allocated together: where that fails, nothing is done for
    any of them.
    """
    entries: dict[int | None, list[int]] = defaultdict(list)
    for entry_id in entry_ids:
        entries[rows[entry_id]["customer_id"] if entry_id in rows else None].append(entry_id)

    async def for_one(customer_id: int | None) -> Report[int, None]:
        report = await all_or_report(entries[customer_id], step, reader=current().reader)
        if report.done and customer_id is not None:
            await allocate_anew([customer_id], list(report.done))
        return report

    whole = Report[int, None]()
    customers = await all_or_report(entries, for_one, reader=current().reader)
    for report in customers.done.values():
        whole.done |= report.done
        whole.refused |= report.refused
    for customer_id, reason in customers.refused.items():
        whole.refused |= dict.fromkeys(entries[customer_id], reason)
    return whole


async def write(of: Book) -> dict[Key, tuple[Allocation, ...]]:
    """Make the allocations of the book's entries what the engine says; entries whose pieces are right already keep their rows.

    Return the pieces by entry.
    """
    wanted = allocate(of.state)
    stored = await _stored([int(entry.id) for entry in of.state.entries])
    gone = [id for id, pieces in stored.items() if pieces != _as_rows(wanted.get(id, ()))]
    await current().execute("delete from allocation where entry_id = any($1)", gone)
    rows = [
        (of.customer_id, id, piece.place, piece.kind.value, piece.minutes, *_price(piece), of.currency, piece.amount)
        for id, pieces in wanted.items()
        if id not in stored or id in gone
        for piece in pieces
    ]
    await current().executemany(
        "insert into allocation (customer_id, entry_id, position, kind, minutes, hourly_rate, rate_source, currency, amount)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        rows,
    )
    return wanted


async def _stored(entry_ids: list[int]) -> dict[int, list[tuple[object, ...]]]:
    """Return the provisional rows of these entries, by entry."""
    pieces = defaultdict(list)
    for row in await current().fetch(
        "select a.entry_id, a.position, a.kind, a.minutes, a.hourly_rate, a.rate_source, a.amount from allocation a"
        " where a.entry_id = any($1) and not exists (select 1 from settled_entry d where d.entry_id = a.entry_id)"
        " order by a.entry_id, a.position",
        entry_ids,
    ):
        pieces[row["entry_id"]].append(tuple(row)[1:])
    return pieces


def _as_rows(pieces: Collection[Allocation]) -> list[tuple[object, ...]]:
    return [(piece.place, piece.kind.value, piece.minutes, *_price(piece), piece.amount) for piece in pieces]


def _price(piece: Allocation) -> tuple[object, object]:
    return (piece.price.hourly_rate, piece.price.source.value) if piece.price else (None, None)
