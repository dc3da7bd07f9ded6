"""Change and delete time entries in any state, as a manager.

The approval of an approved entry is withdrawn first, so that nothing is billed that was not approved (D34, C2).
"""

from datetime import datetime

from portal.billing.allocating.allocations import reallocate
from portal.billing.allocating.book import Row
from portal.billing.deciding.withdrawals import drop, open_for_change
from portal.errors import Conflict
from portal.people.readers import AgentReader
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.work import Work


async def change_entry(entry_id: int, work: Work, *, version: int, by: AgentReader, at: datetime) -> TimeEntry:
    """Replace the fields of an entry, as a manager, by the fields of `work`, and return the entry.

    If the entry is approved, its approval is withdrawn first, so the changed entry has to be approved again. Raise
    `Forbidden` if `by` is not a manager. Raise `Conflict` if the entry was deleted, if a document has settled it, or if
    its version is no longer `version`. The errors of `TimeEntry.revise` are raised too.
    """
    row = await _lock_and_withdraw(entry_id, version, by, at)
    entry = await (await TimeEntry.find(entry_id, by)).revise(by, work, version=version, at=at)
    await _allocate(row)
    return entry


async def delete_entry(entry_id: int, *, version: int, by: AgentReader, at: datetime) -> None:
    """Delete an entry in any state, as a manager.

    The approval of an approved entry is withdrawn first. Raise `Forbidden` if `by` is not a manager. Raise `Conflict`
    if the entry was deleted before, if a document has settled it, if its version is no longer `version`, or if
    `TimeEntry.erase` refuses the deletion.
    """
    row = await _lock_and_withdraw(entry_id, version, by, at)
    await (await TimeEntry.find(entry_id, by)).erase(by, at=at)
    await _allocate(row)


async def _lock_and_withdraw(entry_id: int, version: int, by: AgentReader, at: datetime) -> Row:
    """Lock an entry, withdraw its approval if it is approved, and return its row as it was before the withdrawal.

    Raise `Conflict` if the version of the entry is no longer `version`. The errors of `open_for_change` are raised too.
    """
    row = await open_for_change(entry_id, by=by, at=at)
    if row["version"] != version:
        raise Conflict("Somebody else has changed this time in the meantime. Look at it again.")
    if row["state"] == "approved":
        await drop([row], by=by, at=at)
    return row


async def _allocate(row: Row) -> None:
    """Recompute the allocations of the customer's open time if the entry in `row` was approved.

    Open time is approved time that no document has settled.
    """
    if row["state"] == "approved" and row["customer_id"] is not None:
        await reallocate([row["customer_id"]])
