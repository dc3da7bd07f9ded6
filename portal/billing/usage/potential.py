"""Compute the invoicing potential: what the time that no document has settled yet is worth, by service (S3.26)."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from portal.billing.allocating import book
from portal.billing.allocating.book import Book
from portal.billing.engine import AllocationKind, BillingState, Key, allocate, approve
from portal.billing.usage.places import PLACE, Place, cells
from portal.database import current
from portal.exports import Column, Kind, Sheet
from portal.people.readers import AgentReader
from portal.words import Settlement

PRICED = 5_000
"""If more entries than this are waiting or held, they are priced only if `everything` is set (`potential_of`)."""


@dataclass(frozen=True, slots=True)
class Potential:
    """Time of one or more services that no document has settled, in minutes, and what it is worth.

    Time that is not billable is left out.
    - `approved`: approved time, including the `held` time.
    - `waiting`: submitted time.
    - `charged`: the amount that is charged for approved time now.
    - `more`: the additional amount if all waiting time were approved and all held time were charged; None if it was not
      computed.
    - `unpriced`: the waiting minutes whose approval would be refused, for example because there is no rate.

    For readers who are not managers, `charged` is 0 and `more` is None.
    """

    approved: int = 0
    held: int = 0
    waiting: int = 0
    charged: Decimal = Decimal(0)
    more: Decimal | None = Decimal(0)
    unpriced: int = 0

    @property
    def total(self) -> Decimal | None:
        """Return the potential: what all of the time would cost. Return None if `more` was not computed."""
        return None if self.more is None else self.charged + self.more

    def __add__(self, other: "Potential") -> "Potential":
        more = None if self.more is None or other.more is None else self.more + other.more
        return Potential(
            self.approved + other.approved, self.held + other.held, self.waiting + other.waiting,
            self.charged + other.charged, more, self.unpriced + other.unpriced,
        )  # fmt: skip


_OPEN = """
with open as (
  select e.service_id, a.minutes as approved, case a.kind when 'held' then a.minutes else 0 end as held, 0 as waiting,
    case a.kind when 'charged' then a.amount else 0 end as charged
  from time_entry e join allocation a on a.entry_id = e.id
  where ($1::bigint is null or e.customer_id = $1)
    and not exists (select 1 from settled_entry d where d.entry_id = a.entry_id and d.part = a.part)
  union all
  select e.service_id, 0, 0, e.billable_minutes, 0 from time_entry e
  where ($1::bigint is null or e.customer_id = $1) and e.state = 'submitted' and e.billing <> 'not_billable' and e.service_id is not null
)
select k.currency::text, u.id as customer_id, u.name as customer, k.id as contract_id, k.name as contract, s.id as service_id,
  s.name as service, s.settlement, x.approved, x.held, x.waiting, x.charged
from (select service_id, sum(approved)::int as approved, sum(held)::int as held, sum(waiting)::int as waiting, sum(charged) as charged
      from open group by 1) x
join service s on s.id = x.service_id join contract k on k.id = s.contract_id join customer u on u.id = s.customer_id
order by k.currency, folded(u.name), u.id, folded(k.name), k.id, folded(s.name), s.id
"""

_UNDECIDED = """
select e.id, e.customer_id from time_entry e
where ($1::bigint is null or e.customer_id = $1) and e.state = 'submitted' and e.billing = 'billable' and e.service_id is not null
union all
select e.id, e.customer_id from allocation a join time_entry e on e.id = a.entry_id
where a.kind = 'held' and ($1::bigint is null or e.customer_id = $1)
limit $2
"""


async def potential_of(
    reader: AgentReader, *, customer: int | None = None, everything: bool = False
) -> list[tuple[Place, Potential]]:
    """Return the potential of each service with time that is not billed, sorted by currency and the names in the place.

    `customer` is the id of the only customer to include, or None. Amounts are computed for managers only. If there are
    more than `PRICED` waiting and held entries, the amount that they would add is computed only if `everything` is set.
    The engine runs in a worker thread.
    """
    rows = await current().fetch(_OPEN, customer)
    more: dict[int, tuple[Decimal, int]] | None = {}
    if reader.is_manager and any(row["waiting"] or row["held"] for row in rows):
        more = await _more(customer, None if everything else PRICED)
    return [(_place(row), _potential(row, reader, more)) for row in rows]


def _place(row: Mapping[str, Any]) -> Place:
    names = ("currency", "customer_id", "customer", "contract_id", "contract", "service_id", "service")
    return Place(**{name: row[name] for name in names}, settlement=Settlement(row["settlement"]))


def _potential(
    row: Mapping[str, Any], reader: AgentReader, more: Mapping[int, tuple[Decimal, int]] | None
) -> Potential:
    minutes = {name: row[name] for name in ("approved", "held", "waiting")}
    if not reader.is_manager:
        return Potential(**minutes, more=None)
    undecided = row["waiting"] or row["held"]
    added, unpriced = (more or {}).get(row["service_id"], (Decimal(0), 0))
    known = added if more is not None or not undecided else None
    return Potential(**minutes, charged=row["charged"], more=known, unpriced=unpriced)


async def _more(customer: int | None, most: int | None) -> dict[int, tuple[Decimal, int]] | None:
    """Return the amount that waiting and held time would add, and the minutes without a price, by service id.

    Return None if there are more than `most` waiting and held entries; if `most` is None, there is no limit. An
    approved entry can take prepaid minutes from another entry, so the amount of a service can be negative.
    """
    rows = await current().fetch(_UNDECIDED, customer, None if most is None else most + 1)
    if most is not None and len(rows) > most:
        return None
    books = await book.load_these({row["customer_id"] for row in rows}, [row["id"] for row in rows])
    return await asyncio.to_thread(_added, books)


def _added(books: Collection[Book]) -> dict[int, tuple[Decimal, int]]:
    amounts: dict[int, Decimal] = defaultdict(Decimal)
    unpriced: dict[int, int] = defaultdict(int)
    for of in books:
        entries = {entry.id: entry for entry in of.state.entries}
        state, refused = approve(of.state, [id for id in entries if id not in of.state.approved], of.rates)
        for id, _reason in refused:
            unpriced[int(entries[id].service)] += entries[id].billable_minutes
        released = replace(state, released=frozenset(entries))
        for sign, decided in ((1, released), (-1, of.state)):
            for entry_id, amount in _charged(decided).items():
                amounts[int(entries[entry_id].service)] += sign * amount
    return {id: (amounts[id], unpriced[id]) for id in amounts.keys() | unpriced.keys()}


def _charged(state: BillingState) -> dict[Key, Decimal]:
    return {
        id: sum((piece.amount for piece in pieces if piece.kind is AllocationKind.CHARGED), Decimal(0))
        for id, pieces in allocate(state).items()
    }


COLUMNS = (
    *PLACE,
    Column("Approved minutes", Kind.MINUTES),
    Column("Held minutes", Kind.MINUTES),
    Column("Waiting minutes", Kind.MINUTES),
    Column("Minutes without a price", Kind.MINUTES),
    Column("Approved", Kind.MONEY),
    Column("Held and waiting", Kind.MONEY),
    Column("Potential", Kind.MONEY),
)


def potential_sheet(rows: Mapping[Place, Potential]) -> Sheet:
    """Return a sheet with a line for each place in `rows`, which `grouped` has made, and the potential of the place."""
    lines = (
        (*cells(place), it.approved, it.held, it.waiting, it.unpriced, it.charged, it.more, it.total)
        for place, it in rows.items()
    )
    return Sheet("Invoicing potential", COLUMNS, lines)


async def record_potential(reader: AgentReader) -> None:
    """Record in the audit log that the reader downloaded the invoicing potential as a CSV file (R89)."""
    await current().execute("select record_export('potential', $1, 'csv')", reader.id)
