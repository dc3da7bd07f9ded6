"""Move time entries between the states draft, submitted, approved and rejected.

Each step updates a row only if its state and version are as expected; otherwise it raises `Conflict`. Agents call
`submit`. The `mark_*` steps are for billing, which checks who may approve or reject, and writes the approval or the
rejection.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from portal import outbox
from portal.database import current
from portal.errors import Conflict
from portal.people.readers import AgentReader
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.rules import OPEN
from portal.words import EntryState


@dataclass(frozen=True, slots=True)
class Submission:
    """Result of submitting several time entries (D35).

    `refused` maps the id of each entry that could not be submitted to a sentence that says why.
    """

    submitted: list[int]
    refused: dict[int, str]


async def submit(by: AgentReader, entry_ids: Iterable[int], *, at: datetime) -> Submission:
    """Submit draft and rejected entries for approval (S0.24-S0.26, C5).

    Agents may submit their own entries, managers anybody's. Entries that are submitted already stay as they are and
    are not reported as refused.
    """
    ids = sorted(set(entry_ids))
    rows = await current().fetch(_SUBMIT, ids, at, sorted(OPEN), by.is_manager, by.id)
    submitted = [row["id"] for row in rows]
    for subject_id, customer_id in sorted({(row["case_id"] or row["id"], row["customer_id"]) for row in rows}, key=str):
        await outbox.tell(
            kind="time.submitted",
            subject_id=subject_id,
            customer_id=customer_id,
            contact_may_know=False,
            actor=by,
            at=at,
        )
    return Submission(submitted, await _why_not(by, set(ids) - set(submitted)))


# Rows are locked in the order of their ids, as in approving, so that submitting and approving never deadlock.
_SUBMIT = """
with held as (
  select id from time_entry where id = any($1) and state = any($3) and ($4 or agent_id = $5)
  order by id for no key update
)
update time_entry e set state = 'submitted', submitted_at = $2 from held
where e.id = held.id and e.state = any($3) returning e.id, e.case_id, e.customer_id
"""


async def _why_not(by: AgentReader, ids: Collection[int]) -> dict[int, str]:
    if not ids:
        return {}
    rows = {
        row["id"]: row
        for row in await current().fetch("select id, agent_id, state from time_entry where id = any($1)", list(ids))
    }
    refused = {}
    for entry_id in sorted(ids):
        row = rows.get(entry_id)
        if row is None:
            refused[entry_id] = "It is not there any more."
        elif row["agent_id"] != by.id and not by.is_manager:
            refused[entry_id] = "Only a manager may submit a colleague's time."
        elif row["state"] == EntryState.APPROVED:
            refused[entry_id] = "It is approved already."
    return refused


async def mark_approved(entry_id: int, version: int, *, at: datetime) -> TimeEntry:
    """Approve a submitted entry or a draft. A draft counts as submitted at the instant `at` (C4)."""
    return await _step(
        entry_id, version, {EntryState.SUBMITTED, EntryState.DRAFT}, EntryState.APPROVED, submitted_at=at
    )


async def mark_rejected(entry_id: int, version: int, *, at: datetime) -> TimeEntry:
    """Reject a submitted or draft entry. Its author may then change it for 24 hours from `at` (C5)."""
    return await _step(entry_id, version, {EntryState.SUBMITTED, EntryState.DRAFT}, EntryState.REJECTED, window_from=at)


async def mark_submitted(entry_id: int, version: int, *, at: datetime) -> TimeEntry:
    """Set an entry whose approval was withdrawn back to submitted, so that a manager decides on it again."""
    return await _step(entry_id, version, {EntryState.APPROVED}, EntryState.SUBMITTED, submitted_at=at)


_STEP = """
update time_entry set state = $4, submitted_at = coalesce(submitted_at, $5), window_from = coalesce($6, window_from)
where id = $1 and version = $2 and state = any($3) returning *
"""


async def _step(
    entry_id: int,
    version: int,
    sources: set[EntryState],
    target: EntryState,
    *,
    submitted_at: datetime | None = None,
    window_from: datetime | None = None,
) -> TimeEntry:
    row = await current().fetchrow(_STEP, entry_id, version, sorted(sources), target.value, submitted_at, window_from)
    if row is None:
        raise Conflict(await _what_happened(entry_id, version, target))
    return TimeEntry.of_row(row)


async def _what_happened(entry_id: int, version: int, target: EntryState) -> str:
    """Return a sentence about why the step to the state `target` failed: somebody else changed the entry first."""
    row = await current().fetchrow("select state, version from time_entry where id = $1", entry_id)
    if row is None:
        return "This time was deleted meanwhile."
    if row["version"] != version:
        return "This time was changed meanwhile. Look at it again."
    if row["state"] == target:
        return f"Somebody else was faster: this time is {target.value} already."
    return f"This time is {EntryState(row['state']).word.lower()} meanwhile. Look at it again."
