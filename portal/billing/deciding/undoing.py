"""Undo whole decisions: all approvals, rejections or flags that a manager gave in one step (D35)."""

import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from portal.billing.allocating.allocations import by_customer
from portal.billing.allocating.book import Row
from portal.billing.deciding.chosen import Outcome, chosen
from portal.billing.deciding.withdrawals import drop, why_settled_row
from portal.database import current
from portal.database.batches import Report
from portal.errors import Conflict, NotFound, Refusal
from portal.people.readers import AgentReader
from portal.timekeeping import flags, states, traces
from portal.words import EntryState

UNDONE = "This is taken back already."

_MADE = """
select 'approval' as kind, entry_id, withdrawn_at is null as stands from approval where decision = $1 and approved_by_id = $2
union all select 'rejection', r.entry_id, not exists (select from rejection later where later.entry_id = r.entry_id and later.id > r.id)
  from rejection r where r.decision = $1 and r.rejected_by_id = $2
union all select 'flag', entry_id, lifted_at is null from flag where decision = $1 and flagged_by_id = $2
"""


async def undo(decision: uuid.UUID, *, by: AgentReader, at: datetime) -> Outcome:
    """Undo the approvals, rejections or flags that `by` made in the step with the id `decision`.

    Approved and rejected entries return to their former state, and flags are lifted. The time limit within which the
    author may change a rejected entry is reset to the limit before the rejection. The entries are locked.
    Return the entries that were changed, and the entries that were refused because a document has settled them or
    because they were submitted again. Entries that were deleted or decided on anew are in neither list. Raise
    `NotFound` if `by` made no such decision, `Forbidden` if `by` is no longer a manager, and `Conflict` if nothing is
    left to undo.
    """
    made = await current().fetch(_MADE, decision, by.id)
    if not made:
        raise NotFound
    rows = await chosen([row["entry_id"] for row in made if row["stands"]], by, at)
    # Before this transaction had the locks, another one may have undone a part of the decision or deleted an entry.
    made = await current().fetch(_MADE, decision, by.id)
    standing = sorted(row["entry_id"] for row in made if row["stands"] and row["entry_id"] in rows)
    if not standing:
        raise Conflict(UNDONE)
    check, step = _VERBS[made[0]["kind"]]
    refused = {entry_id: no for entry_id in standing if (no := check(rows[entry_id], by))}

    async def take_back(ids: Sequence[int]) -> None:
        await step([rows[entry_id] for entry_id in ids], decision, by, at)

    report = await by_customer([entry_id for entry_id in standing if entry_id not in refused], rows, take_back)
    return Outcome.of(Report(report.done, report.refused | refused), rows)


async def _undo_rejections(rows: Collection[Row], decision: uuid.UUID, by: AgentReader, at: datetime) -> None:
    """Delete the rejections of entries, restore the former state of the entries, and write outbox rows.

    The author's time limit for changes is restored too.
    """
    versions = {row["id"]: row["version"] for row in rows}
    former: dict[Any, dict[int, int]] = defaultdict(dict)
    for row in await current().fetch(_DELETE, decision, list(versions)):
        former[row["former_state"], row["former_window_from"], row["earlier"]][row["entry_id"]] = row["version"]
    for (state, window_from, earlier), choices in former.items():
        marked = await states.mark_reopened(choices, EntryState(state), window_from, earlier, by=by, at=at)
        await traces.notify_all(marked, "time.changed", by, at)


_DELETE = """
delete from rejection r where r.decision = $1 and r.entry_id = any($2)
returning r.entry_id, r.version, r.former_state, r.former_window_from,
  (select e.version from rejection e where e.entry_id = r.entry_id and e.id < r.id order by e.id desc limit 1) as earlier
"""


async def _undo_approvals(rows: Collection[Row], decision: uuid.UUID, by: AgentReader, at: datetime) -> None:
    await drop(rows, by=by, at=at)


async def _undo_flags(rows: Collection[Row], decision: uuid.UUID, by: AgentReader, at: datetime) -> None:
    await flags.lift_of([row["id"] for row in rows], by=by, at=at)
    await traces.notify_all(rows, "time.changed", by, at)


def _why_rejected_still(row: Row, by: AgentReader) -> Refusal | None:
    return None if row["state"] == EntryState.REJECTED else Conflict("It was submitted again in the meantime.")


_Check = Callable[[Row, AgentReader], Refusal | None]
_Step = Callable[[Collection[Row], uuid.UUID, AgentReader, datetime], Awaitable[None]]
_VERBS: dict[str, tuple[_Check, _Step]] = {
    "approval": (why_settled_row, _undo_approvals),
    "rejection": (_why_rejected_still, _undo_rejections),
    "flag": (lambda row, by: None, _undo_flags),
}
