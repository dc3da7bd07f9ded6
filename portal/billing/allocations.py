"""Allocations as rows: provisional while their entry is open, frozen once a document has settled it."""

from collections import defaultdict
from collections.abc import Collection

from portal.billing import book
from portal.billing.book import Book
from portal.billing.engine import Allocation, Key, allocate
from portal.database import current


async def lock_customers(customer_ids: Collection[int]) -> None:
    """Wait for every other decision on these customers' time, and make the next ones wait, until this transaction ends.

    Always in the order of ids, so that two managers never wait for each other. Contacts and agents go on reading and writing.
    """
    await current().fetch(
        "select id from customer where id = any($1) order by id for no key update", sorted(set(customer_ids))
    )


async def allocate_anew(customer_ids: Collection[int]) -> None:
    """Split all that is approved and not settled of these customers anew, as the engine says (D21). The customers are locked."""
    for each in await book.load(customer_ids):
        await write(each)


async def write(of: Book) -> dict[Key, tuple[Allocation, ...]]:
    """Make the rows say what the engine says of `of`; entries whose pieces are right already keep their rows.

    Gives the pieces by entry.
    """
    wanted = allocate(of.state)
    stored = await _stored(of.customer_id, of.currency)
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


async def _stored(customer_id: int, currency: str) -> dict[int, list[tuple[object, ...]]]:
    """The provisional rows of a customer, by entry."""
    pieces = defaultdict(list)
    for row in await current().fetch(
        "select a.entry_id, a.position, a.kind, a.minutes, a.hourly_rate, a.rate_source, a.amount from allocation a"
        " where a.customer_id = $1 and a.currency = $2 and not exists (select 1 from settled_entry d where d.entry_id = a.entry_id)"
        " order by a.entry_id, a.position",
        customer_id,
        currency,
    ):
        pieces[row["entry_id"]].append(tuple(row)[1:])
    return pieces


def _as_rows(pieces: Collection[Allocation]) -> list[tuple[object, ...]]:
    return [(piece.place, piece.kind.value, piece.minutes, *_price(piece), piece.amount) for piece in pieces]


def _price(piece: Allocation) -> tuple[object, object]:
    return (piece.price.hourly_rate, piece.price.source.value) if piece.price else (None, None)
