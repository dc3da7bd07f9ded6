"""Store the allocations of time entries as rows.

An allocation says what pays for a piece of an entry. An allocation may change until a document (draft, invoice or
statement) has settled the entry.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from piccolo.columns import BigInt, BigSerial, Char, Date, Integer, Numeric, SmallInt, Text
from piccolo.table import Table

from portal.billing.allocating import book
from portal.billing.allocating.book import Book, Row
from portal.billing.allocating.overdrawn import overdrawn
from portal.billing.engine import LONGEST_COUNTED, Allocation, AllocationKind, Key, Price, RateSource, allocate
from portal.billing.locks import lock_customers
from portal.billing.sentences import REFUSED
from portal.contracts.vouchers import Voucher
from portal.database import current
from portal.database.batches import Report, all_or_report, halves_or_report
from portal.database.rows import AT_ONCE, insert_all
from portal.errors import Conflict, Invalid
from portal.timekeeping import states

OVERDRAWN = (
    "Documents have used more included hours of “{name}” in the period from {start:%-d %b %Y} than it would have then. "
    "Leave it as it was for that period."
)


Allocated = Mapping[Key, tuple[Allocation, ...]]
"""The allocations that the engine has computed for open entries, by entry id."""

COLUMNS = (
    "part", "position", "kind", "minutes", "hourly_rate", "rate_source", "amount", "pool_service_id", "period_start", "rolled_from", "voucher_id"
)  # fmt: skip
Columns = tuple[Any, ...]
"""The values of an allocation in the columns `COLUMNS`."""

PlaceKey = tuple[Key, int]
"""The id of an entry, and the position of one of its allocations."""


class StoredAllocation(Table, tablename="allocation"):
    """An allocation as a row: what pays for some minutes of an entry.

    - `part`: 0, or a higher number for minutes that became open again because a correction removed them from a
      document.
    - `position`: the order of the allocations of an entry.
    - `hourly_rate`, `rate_source`: None unless the minutes are charged or held.
    - `pool_service_id`, `period_start`: for included minutes, the service that includes them, and the first day of the
      period; otherwise None.
    - `rolled_from`: the first day of the earlier period from which included minutes rolled over, or None.
    - `voucher_id`: for minutes of a voucher, the voucher; otherwise None.
    """

    id = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    entry_id = BigInt(default=None)
    part = SmallInt(default=0)
    position = SmallInt(default=None)
    kind = Text(default=None)
    minutes = Integer(default=None)
    hourly_rate = Numeric(digits=(12, 4), null=True, default=None)
    rate_source = Text(null=True, default=None)
    currency = Char(length=3, default=None)
    amount = Numeric(digits=(15, 3), default=None)
    pool_service_id = BigInt(null=True, default=None)
    period_start = Date(null=True, default=None)
    rolled_from = Date(null=True, default=None)
    voucher_id = BigInt(null=True, default=None)


async def reallocate(customer_ids: Collection[int], changed: Collection[int] = ()) -> None:
    """Recompute the allocations of the entries `changed`, and of all entries that may depend on other entries (D21).

    An entry may depend on other entries if it is approved, no document has settled it, and its service has prepaid
    minutes or rounds by day. `customer_ids` are the customers of all entries to recompute; the caller must have locked
    the customers.
    """
    if customer_ids:
        await write(await book.load_these(customer_ids, changed))


async def buyers(invoice_id: int) -> list[int]:
    """Return a list with the id of the customer if an invoice or draft sells a voucher, else an empty list."""
    rows = await current().fetch(
        "select distinct customer_id from invoice_line where invoice_id = $1 and voucher_id is not null", invoice_id
    )
    return [row["customer_id"] for row in rows]


async def reallocate_sold(invoice_id: int) -> None:
    """If an invoice or draft sells a voucher, recompute the allocations of the customer's open time (D25).

    These allocations can change when the voucher becomes usable or stops being usable. The caller must have locked the
    customer.
    """
    await reallocate(await buyers(invoice_id))


@contextlib.asynccontextmanager
async def changing_terms(customer_id: int) -> AsyncIterator[None]:
    """Lock the customer, run the `with` block, and recompute the allocations of the customer's open time.

    The block changes contracts, services or vouchers of the customer. The rates that approvals have fixed do not
    change. Raise `Invalid` if a period has fewer included minutes after the change than settled time has already used.
    """
    await lock_customers([customer_id])
    yield
    books = await book.load([customer_id], earliest=date.min)
    for name, start in (over for each in books for over in overdrawn(each)):
        raise Invalid({"": OVERDRAWN.format(name=name, start=start)})
    await write(books)


async def remove_voucher(customer_id: int, voucher: Voucher) -> None:
    """Delete a voucher that has paid for no settled time, and recompute the allocations of the customer's open time.

    `customer_id` is the customer of the voucher, who is locked until the transaction ends. Raise `Conflict` if the
    voucher cannot be deleted (`Voucher.withdraw`). Like `changing_terms`, raise `Invalid` if a period is overdrawn.
    """
    async with changing_terms(customer_id):
        await current().execute(
            "delete from allocation a where a.voucher_id = $1"
            " and not exists (select 1 from settled_entry d where d.entry_id = a.entry_id and d.part = a.part)",
            voucher.id,
        )
        await voucher.withdraw()


async def by_customer(
    entry_ids: Iterable[int], rows: Mapping[int, Row], step: Callable[[Sequence[int]], Awaitable[None]]
) -> Report[int, None]:
    """Run `step` for these entries, recompute the allocations, and report which entries are done and which are refused.

    `rows` has the rows of the entries by id; the caller must have locked their customers. The customers are processed
    in groups, because few SQL statements for many entries are fastest. If a group fails, each half of the group is
    tried, and so on, down to single customers. If a single customer fails, the customer's entries are halved in the
    same way, so that only entries for which `step` raises are refused. If the allocations of that customer cannot be
    recomputed, all entries of the customer are refused. General time, which has no customer, counts as one customer.
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
    """Yield the customers in groups. Each group but the last has at least `AT_ONCE` entries."""
    group, size = list[int | None](), 0
    for customer, ids in entries.items():
        group, size = [*group, customer], size + len(ids)
        if size >= AT_ONCE:
            yield group
            group, size = [], 0
    if group:
        yield group


async def write(books: Sequence[Book], allocated: Allocated | None = None) -> dict[PlaceKey, int]:
    """Store the allocations that the engine computes for the open entries of the books.

    For entries that are rounded by day, store the billable minutes too. `allocated` are the computed allocations, or
    None to compute them here. If the stored rows of an entry equal its computed allocations, these rows stay as they
    are. Return the ids of the rows that stay, by entry id and position. Raise `Conflict` if rounding by day gives an
    entry more than `LONGEST_COUNTED` billable minutes.
    """
    now, (before, ids) = await computed(books, allocated), await stored(books)
    gone = {id for id, pieces in before.items() if pieces != now.get(id, [])}
    if gone:
        await current().execute(
            "delete from allocation a where a.entry_id = any($1)"
            " and not exists (select 1 from settled_entry d where d.entry_id = a.entry_id and d.part = a.part)",
            list(gone),
        )
        ids = {key: id for key, id in ids.items() if key[0] not in gone}
    for of in books:
        of_customer = {"customer_id": of.customer_id, "currency": of.currency}
        added = [id for entry in of.state.entries if (id := entry.id) in now and (id not in before or id in gone)]
        rows = [
            of_customer | {"entry_id": id} | dict(zip(COLUMNS, piece, strict=True)) for id in added for piece in now[id]
        ]
        await insert_all(StoredAllocation, rows)
        await _recount(of, now)
    return ids


async def _recount(of: Book, now: Mapping[Key, Sequence[Columns]]) -> None:
    """Store the billable minutes of each open entry of a book that is rounded by day: the sum of its allocations.

    `now` has the allocations by entry id. Raise `Conflict` if an entry would have more than `LONGEST_COUNTED` minutes.
    """
    by_day = {int(entry.id): entry for entry in of.state.entries if not entry.is_override and entry.id in now}
    if not by_day:
        return
    minutes: dict[int, int] = {id: sum(piece[_MINUTES] for piece in now[id]) for id in by_day}
    if long := next((id for id in by_day if minutes[id] > LONGEST_COUNTED), None):
        service = of.state.places()[by_day[long].service][1]
        raise Conflict(REFUSED["too_long"].format(entry=by_day[long], service=service))
    await states.recount(minutes)


_MINUTES = COLUMNS.index("minutes")


async def computed(books: Sequence[Book], allocated: Allocated | None = None) -> dict[Key, list[Columns]]:
    """Return the allocations of the open entries of the books, as values of the columns `COLUMNS`, by entry id.

    `allocated` are the allocations if the engine has computed them already, or None to compute them here. The column
    `part` is the number of the open part of an entry: 0, or a higher number if documents have settled other parts of
    the entry. The engine runs in a worker thread, so that other requests are answered meanwhile.
    """
    reopened = await current().fetch(
        "select entry_id, part from reopened_entry where customer_id = any($1)", [of.customer_id for of in books]
    )
    parts = {row["entry_id"]: row["part"] for row in reopened}

    def compute() -> dict[Key, list[Columns]]:
        found = (
            {id: pieces for of in books for id, pieces in allocate(of.state).items()}
            if allocated is None
            else allocated
        )
        return {id: [_columns(parts.get(id, 0), piece) for piece in pieces] for id, pieces in found.items()}

    return await asyncio.to_thread(compute)


_STORED = f"""
select a.entry_id, a.id, a.{", a.".join(COLUMNS)} from allocation a
where a.entry_id = any($1) and not exists (select 1 from settled_entry d where d.entry_id = a.entry_id and d.part = a.part)
order by a.entry_id, a.part, a.position
"""  # noqa: S608


async def stored(books: Sequence[Book]) -> tuple[dict[Key, list[Columns]], dict[PlaceKey, int]]:
    """Return the stored allocations of the open entries of the books, and the ids of their rows.

    The allocations are by entry id, as `computed` returns them. The ids are by entry id and position of the allocation.
    """
    pieces, ids = defaultdict(list), {}
    for row in await current().fetch(_STORED, [entry.id for of in books for entry in of.state.entries]):
        entry_id, id, *_ = row
        columns = row[2:]
        pieces[entry_id].append(columns)
        ids[entry_id, columns[1]] = id
    return pieces, ids


async def frozen(of: Book, draft_id: int) -> dict[Key, tuple[Allocation, ...]]:
    """Return the allocations of the entries that a draft has settled, as values of the engine, by entry id.

    `of` is the book with the entries of the draft.
    """
    pieces: dict[Key, tuple[Allocation, ...]] = defaultdict(tuple)
    for row in await current().fetch(
        "select a.* from allocation a join settled_entry d on d.entry_id = a.entry_id and d.part = a.part"
        " where d.invoice_id = $1 and a.entry_id = any($2) order by a.entry_id, a.position",
        draft_id,
        [entry.id for entry in of.state.entries],
    ):
        pieces[row["entry_id"]] += (_piece(row),)
    return pieces


def _piece(row: Row) -> Allocation:
    """Return the allocation that a row stores; the inverse of `_columns`."""
    priced = row["hourly_rate"] is not None
    pool = row["voucher_id"] or row["pool_service_id"]
    return Allocation(
        entry=row["entry_id"],
        place=row["position"],
        kind=AllocationKind(row["kind"]),
        minutes=row["minutes"],
        amount=row["amount"],
        pool=(pool, row["period_start"]) if pool else None,
        price=Price(row["hourly_rate"], RateSource(row["rate_source"])) if priced else None,
        origin=row["rolled_from"],
    )


def _columns(part: int, piece: Allocation) -> Columns:
    """Return the values of an allocation in the columns `COLUMNS`; the inverse of `_piece`.

    `part` is the number of the part of the entry to which the allocation belongs.
    """
    price, (pool, period_start) = piece.price, piece.pool or (None, None)
    is_included = piece.kind is AllocationKind.INCLUDED
    return (
        part, piece.place, piece.kind, piece.minutes, price and price.hourly_rate, price and price.source, piece.amount,
        pool if is_included else None, period_start, piece.origin, None if is_included else pool,
    )  # fmt: skip
