"""Move time entries between the states draft, submitted, approved and rejected.

Each step takes any number of entries, changes them by one statement, and keeps a version of each. Agents call `submit`,
`submit_all` and `take_back`, which leave out entries in another state. The `mark_*` steps are for billing, which checks
who may approve or reject, and writes the approval or the rejection. They raise `Conflict` if an entry has another state
or version than expected.

None of these functions checks whether time tracking is on, because the time of an agent who leaves can be submitted
while time tracking is off. The guards of the routes check that.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.database import current
from portal.errors import Conflict, NotFound
from portal.people.readers import AgentReader
from portal.timekeeping import traces, versions
from portal.timekeeping.filters import CONDITIONS, READY, Filter
from portal.timekeeping.rules import OPEN, PENDING
from portal.timekeeping.versions import Step, Verb
from portal.words import EntryState

Row = Any
"""The row of an entry after a step: `id`, `version`, `state`, `case_id` and `customer_id`.

`former_state` and `former_window_from` are the values from before the step.
"""


@dataclass(frozen=True, slots=True)
class Submission:
    """Result of submitting several time entries, or of undoing a submission (D35).

    `submitted` are the ids of the entries that were changed. `refused` maps the id of each entry that could not be
    changed to an error message. `left_out` is the number of rejected entries that a submission by filter left out
    because nobody has changed them since. `id` identifies the submission for `take_back`; None if nothing was
    submitted.
    """

    submitted: list[int]
    refused: dict[int, str]
    left_out: int = 0
    id: int | None = None


async def submit(by: AgentReader, entry_ids: Iterable[int], *, at: datetime) -> Submission:
    """Submit draft and rejected entries for approval, and return which were submitted (S0.24-S0.26, C5).

    Agents may submit their own entries, managers anybody's. Entries that are submitted already do not change and are
    not reported as refused.
    """
    ids = sorted(set(entry_ids))
    held = await current().fetch(_CHOSEN, ids, sorted(OPEN), by.is_manager, by.id)
    submitted = [row["id"] for row in held]
    return Submission(
        submitted, await _why_not(by, set(ids) - set(submitted)), id=await _mark_together(submitted, by, at)
    )


async def submit_all(by: AgentReader, which: Filter, *, newest: int, at: datetime) -> Submission:
    """Submit those entries of `which` that are drafts or were changed since their rejection (S1.12, D56).

    Agents submit their own entries only, managers anybody's. `newest` is the highest entry id that the list had when it
    was shown, so that no entry that was added later is submitted unseen. The result says which entries were submitted,
    and how many rejected entries were left out because nobody has changed them.
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
    """Undo a submission that `by` made: entries that were rejected before become rejected again, all others drafts.

    Entries that a manager has approved or rejected since do not change and are reported in `refused`. Raise `NotFound`
    if `by` made no such submission, and `Conflict` if none of its entries can be taken back any more.
    """
    rows = await current().fetch(_OF_SUBMISSION, submission_id, by.id)
    if not rows:
        raise NotFound
    back = await current().fetch(_TAKE_BACK, [row["id"] for row in rows], submission_id)
    if not back:
        raise Conflict("Nothing of this submission can be taken back any more.")
    await versions.keep(Verb.TAKEN_BACK, map(_step_of, back), by, at)
    await traces.notify_all(back, "time.changed", by, at)
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
  select id, state as former_state from time_entry where id = any($1) and submission_id = $2 and state = 'submitted'
  order by id for no key update
)
update time_entry e set state = case when rejected_version is null then 'draft' else 'rejected' end, submission_id = null,
  submitted_at = case when rejected_version is not null then submitted_at end
from held where e.id = held.id returning e.id, e.version, e.state, e.case_id, e.customer_id, held.former_state
"""


async def _mark_together(ids: list[int], by: AgentReader, at: datetime) -> int | None:
    """Submit these entries as one submission. The caller's transaction must have locked their rows.

    Keep a version of each entry, and write the changes to the outbox. Return the id of the submission, or None if there
    are no entries.
    """
    if not ids:
        return None
    submission_id: int = await current().fetchval(
        "insert into submission (submitted_by_id, submitted_at) values ($1, $2) returning id", by.id, at
    )
    rows = await current().fetch(_MARK_TOGETHER, ids, at, submission_id)
    await versions.keep(Verb.SUBMITTED, map(_step_of, rows), by, at)
    await traces.notify_all(rows, "time.submitted", by, at)
    return submission_id


_MARK_TOGETHER = """
with held as (select id, state as former_state from time_entry where id = any($1) order by id for no key update)
update time_entry e set state = 'submitted', submitted_at = $2, submission_id = $3 from held
where e.id = held.id returning e.id, e.version, e.state, e.case_id, e.customer_id, held.former_state
"""


def _step_of(row: Row) -> Step:
    return Step(row["id"], row["version"], row["state"], {"state": [row["former_state"], row["state"]]})


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


async def mark_approved(choices: Mapping[int, int], *, by: AgentReader, at: datetime) -> list[Row]:
    """Approve submitted and draft entries, and return their rows. `choices` maps the id of each entry to its version.

    A draft counts as submitted at `at` (C4). Raise `Conflict` if an entry has another version or state.
    """
    rows = await _step(choices, PENDING, EntryState.APPROVED, submitted_at=at)
    await versions.keep(Verb.APPROVED, map(_step_of, rows), by, at)
    return rows


async def mark_rejected(choices: Mapping[int, int], *, by: AgentReader, at: datetime, reason: str) -> list[Row]:
    """Reject submitted and draft entries, and return their rows. `choices` maps the id of each entry to its version.

    The time in which an author may change their entry begins again at `at` (C5). Raise `Conflict` if an entry has
    another version or state.
    """
    rows = await _step(choices, PENDING, EntryState.REJECTED, window_from=at)
    await versions.keep(Verb.REJECTED, map(_step_of, rows), by, at, note=reason)
    return rows


async def mark_withdrawn(choices: Mapping[int, int], state: EntryState, *, by: AgentReader, at: datetime) -> list[Row]:
    """Give entries whose approval is withdrawn the `state` that they had before the approval, submitted or draft (C4).

    `choices` maps the id of each entry to its version. Entries that were rounded by day count their unrounded minutes
    again. Return the rows of all these entries. Raise `Conflict` if an entry has another version or is not approved.
    """
    rows = await _step(choices, {EntryState.APPROVED}, state, submitted_at=at)
    await current().execute(_AS_WORKED, list(choices))
    await versions.keep(Verb.WITHDRAWN, map(_step_of, rows), by, at)
    return rows


_AS_WORKED = """
update time_entry set billable_minutes = counted_minutes(stretches, actual_minutes) where id = any($1) and rounded_by_day
  and billable_minutes <> counted_minutes(stretches, actual_minutes)
"""


async def recount(minutes: Mapping[int, int]) -> None:
    """Store new billable minutes of approved entries that are rounded by day (D4); `minutes` has them by entry id.

    The entries keep their version, and so their approval. The caller must have locked the customer.
    """
    await current().execute(
        "update time_entry e set billable_minutes = n.minutes from unnest($1::bigint[], $2::int[]) as n (id, minutes)"
        " where e.id = n.id and e.rounded_by_day and e.state = 'approved' and e.billable_minutes <> n.minutes",
        list(minutes), list(minutes.values()),
    )  # fmt: skip


async def mark_reopened(
    choices: Mapping[int, int],
    state: EntryState,
    window_from: datetime,
    rejected_version: int | None,
    *,
    by: AgentReader,
    at: datetime,
) -> list[Row]:
    """Give entries whose rejection was undone the `state` and the `window_from` that they had before the rejection.

    `choices` maps the id of each entry to its version. `rejected_version` is the version that an earlier rejection was
    about, or None. Return the rows of these entries. Raise `Conflict` if an entry has another version or is not
    rejected.
    """
    rows = await _step(
        choices, {EntryState.REJECTED}, state, window_from=window_from, reopens=True, rejected_version=rejected_version
    )
    await versions.keep(Verb.REOPENED, map(_step_of, rows), by, at)
    return rows


_STEP = """
with held as (
  select e.id, c.version, e.state as former_state, e.window_from as former_window_from
  from time_entry e join unnest($1::bigint[], $2::int[]) as c (id, version) on e.id = c.id
  order by e.id for no key update of e
)
update time_entry e
set state = $3, submitted_at = case when $3 <> 'draft' then coalesce(e.submitted_at, $5) end, window_from = coalesce($6, e.window_from),
  rejected_version = case when $3 = 'rejected' then e.version when $7 then $8 else e.rejected_version end
from held h where e.id = h.id and e.version = h.version and e.state = any($4)
returning e.id, e.version, e.state, e.case_id, e.customer_id, h.former_state, h.former_window_from
"""


async def _step(
    choices: Mapping[int, int],
    sources: Collection[EntryState],
    target: EntryState,
    *,
    submitted_at: datetime | None = None,
    window_from: datetime | None = None,
    reopens: bool = False,
    rejected_version: int | None = None,
) -> list[Row]:
    rows = await current().fetch(
        _STEP, list(choices), list(choices.values()), target.value, sorted(sources), submitted_at, window_from, reopens,
        rejected_version,
    )  # fmt: skip
    for entry_id in sorted(choices.keys() - {row["id"] for row in rows}):
        raise Conflict(await _what_happened(entry_id, choices[entry_id], target))
    return sorted(rows, key=lambda row: row["id"])


async def _what_happened(entry_id: int, version: int, target: EntryState) -> str:
    """Return the error message for an entry that could not get the state `target`, as somebody else changed it first.

    `version` is the version that the step expected.
    """
    row = await current().fetchrow("select state, version from time_entry where id = $1", entry_id)
    if row is None:
        return "This time was deleted in the meantime."
    if row["version"] != version:
        return "This time was changed in the meantime. Look at it again."
    if row["state"] == target:
        return f"Somebody else was faster: this time is {target.value} already."
    return f"This time is now {EntryState(row['state']).word.lower()}. Look at it again."
