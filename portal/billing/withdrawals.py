"""Withdraw approvals, one or all that were given together, as long as no document has settled them (C2)."""

import uuid
from datetime import datetime

from portal.billing.allocations import allocate_anew, by_customer
from portal.billing.book import Row
from portal.billing.chosen import Outcome, chosen, customers_of, why_not
from portal.billing.sentences import REFUSED
from portal.database import current
from portal.errors import Conflict, NotFound
from portal.people.readers import AgentReader
from portal.timekeeping import states, traces
from portal.timekeeping.rules import why_settled


async def withdraw(entry_id: int, *, by: AgentReader, at: datetime) -> None:
    """Withdraw an approval: the entry is submitted again and its allocations are deleted.

    Raise `Conflict` for a settled entry (C2).
    """
    row = await open_for_change(entry_id, by=by)
    if row["state"] != "approved":
        raise Conflict("This time is not approved.")
    if reason := why_not(row, by):
        raise reason
    await drop(row, by=by, at=at)
    await allocate_anew(customers_of([row]))


async def undo(decision: uuid.UUID, *, by: AgentReader, at: datetime) -> Outcome:
    """Withdraw all approvals that `by` gave in one call, and report those that a document has settled meanwhile (D35).

    Raise `NotFound` where `by` made no such decision, `Conflict` where all its approvals were withdrawn before.
    """
    approvals = await current().fetch(
        "select entry_id, withdrawn_at from approval where decision = $1 and approved_by_id = $2", decision, by.id
    )
    if not approvals:
        raise NotFound
    rows = await chosen([row["entry_id"] for row in approvals if row["withdrawn_at"] is None], by)
    # Before the lock was ours, somebody may have withdrawn one of them and approved it again.
    still = await current().fetch(
        "select entry_id from approval where decision = $1 and withdrawn_at is null order by entry_id", decision
    )
    if not still:
        raise Conflict("These approvals are taken back already.")

    async def drop_one(entry_id: int) -> None:
        _refuse_settled(rows[entry_id], by)
        await drop(rows[entry_id], by=by, at=at)

    return Outcome.of(await by_customer([row["entry_id"] for row in still], rows, drop_one), rows)


async def open_for_change(entry_id: int, *, by: AgentReader) -> Row:
    """Lock an entry and its customer for a decision of `by`, and return its row.

    Raise `Forbidden`, and `Conflict` where it was deleted or a document has settled it.
    """
    row = (await chosen([entry_id], by)).get(entry_id)
    if row is None:
        raise Conflict(REFUSED["gone"])
    _refuse_settled(row, by)
    return row


def _refuse_settled(row: Row, by: AgentReader) -> None:
    if row["settled"]:
        raise Conflict(why_settled(by, row["draft_id"], row["invoice"]))


async def drop(row: Row, *, by: AgentReader, at: datetime) -> None:
    """Make an approved entry a submitted one again. The caller has to allocate anew."""
    await current().execute("delete from allocation where entry_id = $1", row["id"])
    await current().execute(
        "update approval set withdrawn_at = $2, withdrawn_by_id = $3 where entry_id = $1 and withdrawn_at is null",
        row["id"], at, by.id,
    )  # fmt: skip
    entry = await states.mark_submitted(row["id"], row["version"], at=at)
    await traces.notify(entry, "time.changed", by, at)
