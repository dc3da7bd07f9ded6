"""Withdraw approvals, as long as no document has settled the entries (C2).

The module `undoing` undoes whole decisions.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from portal.billing.allocating.allocations import reallocate
from portal.billing.allocating.book import Row
from portal.billing.deciding.chosen import chosen, customers_of, why_not
from portal.billing.sentences import REFUSED
from portal.database import current
from portal.errors import Conflict
from portal.people.readers import AgentReader
from portal.timekeeping import states, traces
from portal.timekeeping.rules import why_settled
from portal.words import EntryState


async def withdraw(entry_id: int, *, by: AgentReader, at: datetime) -> None:
    """Withdraw the approval of an entry, return the entry to its former state, and delete its allocations.

    The allocations of the customer's other entries are recomputed. Raise `Conflict` if the entry is not approved, was
    deleted or is settled by a document (C2), `Forbidden` if `by` must not decide on the entry.
    """
    row = await open_for_change(entry_id, by=by, at=at)
    if row["state"] != "approved":
        raise Conflict("This time is not approved.")
    if reason := why_not(row, by):
        raise reason
    await drop([row], by=by, at=at)
    await reallocate(customers_of([row]))


async def open_for_change(entry_id: int, *, by: AgentReader, at: datetime) -> Row:
    """Lock the customer of an entry, then the entry, so that `by` can change the entry, and return its row.

    Raise `Forbidden` if `by` is not a manager, `Conflict` if the entry was deleted or a document has settled it.
    """
    row = (await chosen([entry_id], by, at)).get(entry_id)
    if row is None:
        raise Conflict(REFUSED["gone"])
    if settled := why_settled_row(row, by):
        raise settled
    return row


def why_settled_row(row: Row, by: AgentReader) -> Conflict | None:
    """Return the error that refuses changes to the entry in `row` if a document has settled the entry, else None."""
    return Conflict(why_settled(by, row["draft_id"], row["invoice"])) if row["settled"] else None


async def drop(rows: Collection[Row], *, by: AgentReader, at: datetime) -> None:
    """Withdraw the approvals of entries, return the entries to their former state, and delete their allocations.

    The former state of an entry is submitted, as a rule. If the approval implied the submission, because the author had
    not submitted the entry (C4), the former state is draft. After the call, the caller must recompute the
    allocations of the customers' other entries.
    """
    versions = {row["id"]: row["version"] for row in rows}
    await current().execute("delete from allocation where entry_id = any($1)", list(versions))
    withdrawn = await current().fetch(_WITHDRAW, list(versions), at, by.id)
    former: dict[EntryState, dict[int, int]] = defaultdict(dict)
    for row in withdrawn:
        state = EntryState.DRAFT if row["submission_implied"] else EntryState.SUBMITTED
        former[state][row["entry_id"]] = versions[row["entry_id"]]
    for state, choices in former.items():
        marked = await states.mark_withdrawn(choices, state, by=by, at=at)
        await traces.notify_all(marked, "time.changed", by, at)


_WITHDRAW = """
update approval set withdrawn_at = $2, withdrawn_by_id = $3 where entry_id = any($1) and withdrawn_at is null
returning entry_id, submission_implied
"""
