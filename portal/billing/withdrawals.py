"""Withdraw approvals, one or all of one decision, as long as no document has settled the entries (C2)."""

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
    """Withdraw the approval of an entry: the entry becomes submitted again, and its allocations are deleted.

    Raise `Conflict` if the entry is not approved, was deleted or is settled by a document (C2), `Forbidden` if `by`
    must not decide on it.
    """
    row = await open_for_change(entry_id, by=by)
    if row["state"] != "approved":
        raise Conflict("This time is not approved.")
    if reason := why_not(row, by):
        raise reason
    await drop(row, by=by, at=at)
    await allocate_anew(customers_of([row]))


async def undo(decision: uuid.UUID, *, by: AgentReader, at: datetime) -> Outcome:
    """Withdraw all approvals of the decision with the id `decision`, which `by` made, except of settled entries (D35).

    Return the entries that are submitted again, and those that stay approved because a document has settled them. Raise
    `NotFound` if `by` made no such decision, `Conflict` if all its approvals have been withdrawn before.
    """
    approvals = await current().fetch(
        "select entry_id, withdrawn_at from approval where decision = $1 and approved_by_id = $2", decision, by.id
    )
    if not approvals:
        raise NotFound
    rows = await chosen([row["entry_id"] for row in approvals if row["withdrawn_at"] is None], by)
    # Before this transaction had the lock, another one may have withdrawn one of the approvals and approved the entry
    # again.
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
    """Lock the customer of an entry and the entry, for a change by `by`, and return the row of the entry.

    Raise `Forbidden` if `by` is no manager, `Conflict` if the entry was deleted or a document has settled it.
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
    """Make an approved entry submitted again, and delete its allocations.

    The caller must then recompute the allocations of the customer's other entries.
    """
    await current().execute("delete from allocation where entry_id = $1", row["id"])
    await current().execute(
        "update approval set withdrawn_at = $2, withdrawn_by_id = $3 where entry_id = $1 and withdrawn_at is null",
        row["id"], at, by.id,
    )  # fmt: skip
    entry = await states.mark_submitted(row["id"], row["version"], at=at)
    await traces.notify(entry, "time.changed", by, at)
