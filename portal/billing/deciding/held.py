"""List held time with what it would cost, and return it to its authors instead of charging it (C8).

Held time is approved time that prepaid hours do not cover, under a service that charges such time only after a manager
has released it (`releases`).
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from portal.billing.allocating import book
from portal.billing.allocating.book import Book, Row
from portal.billing.deciding.approvals import reject
from portal.billing.deciding.chosen import Choice, Outcome, chosen, why_not
from portal.billing.deciding.withdrawals import drop, why_settled_row
from portal.billing.engine import Allocation, AllocationKind, Key, allocate
from portal.contracts.approvers import DECIDES, MAY_DECIDE
from portal.contracts.naming import shown_service
from portal.database import current
from portal.errors import Forbidden, Invalid
from portal.people.readers import AgentReader
from portal.periods import today
from portal.timekeeping import flags

PAGE = 100
"""The maximum number of held entries on one page."""


@dataclass(frozen=True, slots=True)
class HeldEntry:
    """A held entry (`row`, a database row), and what it would cost if all held time of its customer were charged.

    `covered` are the minutes that prepaid hours would pay for. `charged` are the other minutes, which would cost
    `amount`.
    """

    row: Row
    covered: int
    charged: int
    amount: Decimal

    @property
    def customer(self) -> tuple[str, int]:
        """Return the name and the id of the customer, by which the page groups the entries."""
        return self.row["customer_name"], self.row["customer_id"]

    @property
    def choice(self) -> str:
        """Return the value of the entry's tick box, `id:version`."""
        return f"{self.row['id']}:{self.row['version']}"


@dataclass(frozen=True, slots=True)
class Held:
    """One page of held time, sorted by customer and day. `next` is the cursor of the next page, or None."""

    entries: list[HeldEntry]
    next: int | None


_HELD = f"""
with recursive {DECIDES}
select * from (
  select row_number() over (order by folded(u.name), u.id, e.work_date, e.created_at, e.id) as position, e.id, e.version, e.work_date,
    e.billable_minutes, e.external_comment, e.customer_id, e.agent_id, g.name as agent_name, u.name as customer_name, c.number as case_number,
    {shown_service("e.service_id")} as service_name, h.currency, e.agent_id <> $1 and ($3 or {MAY_DECIDE}) as may_decide
  from allocation h join time_entry e on e.id = h.entry_id join agent g on g.id = e.agent_id join customer u on u.id = e.customer_id
  left join cases c on c.id = e.case_id
  where h.kind = 'held') found
where $4::bigint is null or position > $4 order by position limit $5
"""  # noqa: S608


async def list_held(by: AgentReader, *, at: datetime, after: int | None = None) -> Held:
    """Return a page of the held time of all customers, with what each entry would cost.

    The column `may_decide` of `HeldEntry.row` says whether `by` may decide on the entry. `after` is the cursor: the
    position of the last entry on the previous page. Raise `Forbidden` if `by` is not a manager.
    """
    if not by.is_manager:
        raise Forbidden("Only managers may decide on time.")
    found = await current().fetch(_HELD, by.id, today(by.time_zone, at), by.is_admin, after, PAGE + 1)
    rows = found[:PAGE]
    books = await book.load_these({row["customer_id"] for row in rows}, [row["id"] for row in rows]) if rows else []
    entries = await asyncio.to_thread(_with_costs, rows, books)
    return Held(entries, rows[-1]["position"] if len(found) > PAGE else None)


def _with_costs(rows: Sequence[Row], books: Iterable[Book]) -> list[HeldEntry]:
    pieces = {id: found for of in books for id, found in _released(of).items()}
    entries = []
    for row in rows:
        charged = [piece for piece in pieces.get(row["id"], ()) if piece.kind is AllocationKind.CHARGED]
        minutes = sum(piece.minutes for piece in charged)
        amount = sum((piece.amount for piece in charged), Decimal(0))
        entries.append(HeldEntry(row, row["billable_minutes"] - minutes, minutes, amount))
    return entries


def _released(of: Book) -> dict[Key, tuple[Allocation, ...]]:
    """Return the allocations of the entries in the book, by entry id, as if all held time were charged."""
    return allocate(replace(of.state, released=frozenset(entry.id for entry in of.state.entries)))


async def send_back(choices: Iterable[Choice], *, reason: str, by: AgentReader, at: datetime) -> Outcome:
    """Reject held entries instead of charging them: withdraw their approvals, and return the entries to their authors.

    Return the entries that were rejected, and the entries that were refused. An entry is refused for the same reasons
    as in `reject`, or because it is approved but no longer held. Undoing the rejection does not restore the approval.
    Raise `Invalid` if the reason is empty or too long or if no entry was chosen, `Forbidden` if `by` is not a manager.
    """
    flags.checked("reason", reason, "Say why, so that the author knows what to change.")
    seen = {choice.entry_id: choice for choice in choices}
    if not seen:
        raise Invalid({"entry": "Tick at least one entry."})
    rows = await chosen(seen, by, at)
    held = {
        row["entry_id"]
        for row in await current().fetch(
            "select entry_id from allocation where entry_id = any($1) and kind = 'held'", list(rows)
        )
    }
    free = [
        row
        for id, row in rows.items()
        if id in held and row["version"] == seen[id].version and not (why_not(row, by) or why_settled_row(row, by))
    ]
    await drop(free, by=by, at=at)
    return await reject(seen.values(), reason=reason, by=by, at=at)
