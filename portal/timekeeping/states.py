"""Move time entries between the states draft, submitted, approved and rejected.

Each step updates a row only if its state and version are as expected; otherwise it raises `Conflict`. Agents call
`submit`, `submit_all` and `take_back`. The `mark_*` steps are for billing, which checks who may approve or reject, and
writes the approval or the rejection.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal import outbox
from portal.database import current
from portal.errors import Conflict, NotFound
from portal.people.readers import AgentReader
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.filters import CONDITIONS, READY, Filter
from portal.timekeeping.rules import OPEN
from portal.words import EntryState


@dataclass(frozen=True, slots=True)
class Submission:
    """Result of submitting several time entries (D35).

    `refused` maps the id of each entry that could not be submitted to a sentence that says why. `left_out` is the
    number of rejected entries that a submission by filter left out because nobody has changed them. `id` identifies
    the submission for `take_back`; None if nothing was submitted.
    """

    submitted: list[int]
    refused: dict[int, str]
    left_out: int = 0
    id: int | None = None


async def submit(by: AgentReader, entry_ids: Iterable[int], *, at: datetime) -> Submission:
    """Submit draft and rejected entries for approval, and return which were submitted (S0.24-S0.26, C5).

    Agents may submit their own entries, managers anybody's. Entries that are submitted already stay as they are and are
    not reported as refused.
    """
    ids = sorted(set(entry_ids))
    held = await current().fetch(_CHOSEN, ids, sorted(OPEN), by.is_manager, by.id)
    submitted = [row["id"] for row in held]
    return Submission(
        submitted, await _why_not(by, set(ids) - set(submitted)), id=await _mark_together(submitted, by, at)
    )


async def submit_all(by: AgentReader, which: Filter, *, newest: int, at: datetime) -> Submission:
    """Submit all ready entries that `which` chooses: drafts, and rejected entries that were changed since (S1.12, D56).

    Agents submit their own entries only, managers anybody's. `newest` is the highest entry id that the list had when it
    was shown: entries that came later are not submitted unseen. Return which were submitted, and how many were left
    out.
    """
    rows = await current().fetch(
        f"""select e.id, {READY} as is_ready from time_entry e join agent a on a.id = e.agent_id
        where {CONDITIONS[which.scope]} and e.id <= $7 and ($8 or e.agent_id = $9) and e.state in ('draft', 'rejected')
        order by e.id for no key update of e""",  # noqa: S608
        *which.values, newest, by.is_manager, by.id,
    )  # fmt: skip
    ready = [row["id"] for row in rows if row["is_ready"]]
    return Submission(ready, {}, len(rows) - len(ready), await _mark_together(ready, by, at))


async def take_back(submission_id: int, *, by: AgentReader, at: datetime) -> Submission:
    """Undo a submission of `by`: its entries are drafts again, or rejected as before.

    Entries that a manager has decided on since stay as they are and are reported in `refused`. Raise `NotFound` if
    `by` made no such submission, and `Conflict` if nothing of it is left to take back.
    """
    rows = await current().fetch(_OF_SUBMISSION, submission_id, by.id)
    if not rows:
        raise NotFound
    back = await current().fetch(_TAKE_BACK, [row["id"] for row in rows], submission_id)
    if not back:
        raise Conflict("Nothing of this submission can be taken back any more.")
    await _tell(back, "time.changed", by, at)
    taken = sorted(row["id"] for row in back)
    kept = {
        row["id"]: f"It is {EntryState(row['state']).word.lower()} already." for row in rows if row["id"] not in taken
    }
    return Submission(taken, kept)


# Rows are locked in the order of their ids, as in approving, so that submitting and approving never deadlock.
_CHOSEN = """
select id from time_entry where id = any($1) and state = any($2) and ($3 or agent_id = $4) order by id for no key update
"""
_OF_SUBMISSION = """
select e.id, e.state from submission s left join time_entry e on e.submission_id = s.id
where s.id = $1 and s.submitted_by_id = $2 order by e.id
"""
_TAKE_BACK = """
with held as (
  select id from time_entry where id = any($1) and submission_id = $2 and state = 'submitted' order by id for no key update
)
update time_entry e set state = case when rejected_version is null then 'draft' else 'rejected' end, submission_id = null
from held where e.id = held.id returning e.id, e.case_id, e.customer_id
"""


async def _mark_together(ids: list[int], by: AgentReader, at: datetime) -> int | None:
    """Set entries, whose rows this transaction has locked, to submitted, and return the id of their submission.

    Return None if there is no entry. Write the changes to the outbox.
    """
    if not ids:
        return None
    submission_id: int = await current().fetchval(
        "insert into submission (submitted_by_id, submitted_at) values ($1, $2) returning id", by.id, at
    )
    rows = await current().fetch(
        "update time_entry set state = 'submitted', submitted_at = $2, submission_id = $3 where id = any($1)"
        " returning id, case_id, customer_id",
        ids, at, submission_id,
    )  # fmt: skip
    await _tell(rows, "time.submitted", by, at)
    return submission_id


async def _tell(rows: Sequence[Any], kind: str, by: AgentReader, at: datetime) -> None:
    """Write an outbox row for each case of the entries, and for each entry without a case."""
    subjects = {(row["case_id"] or row["id"], row["customer_id"]) for row in rows}
    await outbox.tell_of(sorted(subjects, key=str), kind=kind, actor=by, at=at)


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
    """Set a submitted entry or a draft to approved, and return it.

    A draft counts as submitted at the instant `at` (C4). Raise `Conflict` unless the entry has this version and one of
    these states.
    """
    return await _step(
        entry_id, version, {EntryState.SUBMITTED, EntryState.DRAFT}, EntryState.APPROVED, submitted_at=at
    )


async def mark_rejected(entry_id: int, version: int, *, at: datetime) -> TimeEntry:
    """Set a submitted entry or a draft to rejected, and return it.

    Its author may change it for 24 hours from `at` (C5). Raise `Conflict` unless the entry has this version and one of
    these states.
    """
    return await _step(entry_id, version, {EntryState.SUBMITTED, EntryState.DRAFT}, EntryState.REJECTED, window_from=at)


async def mark_submitted(entry_id: int, version: int, *, at: datetime) -> TimeEntry:
    """Set an entry whose approval was withdrawn back to submitted, so that a manager decides on it again; return it.

    Raise `Conflict` unless the entry has this version and is approved.
    """
    return await _step(entry_id, version, {EntryState.APPROVED}, EntryState.SUBMITTED, submitted_at=at)


_STEP = """
update time_entry set state = $4, submitted_at = coalesce(submitted_at, $5), window_from = coalesce($6, window_from),
  rejected_version = case when $4 = 'rejected' then version else rejected_version end
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
    """Return a sentence about why an entry could not get the state `target`: somebody else changed it first."""
    row = await current().fetchrow("select state, version from time_entry where id = $1", entry_id)
    if row is None:
        return "This time was deleted meanwhile."
    if row["version"] != version:
        return "This time was changed meanwhile. Look at it again."
    if row["state"] == target:
        return f"Somebody else was faster: this time is {target.value} already."
    return f"This time is {EntryState(row['state']).word.lower()} meanwhile. Look at it again."
