"""Release held time, so that it is charged (C8).

Time is held if prepaid hours do not cover it wholly and its service says that a manager has to decide what happens.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime

from piccolo.columns import BigInt, Timestamptz
from piccolo.table import Table

from portal.billing.allocating.allocations import by_customer
from portal.billing.allocating.book import Row
from portal.billing.deciding.chosen import Choice, Outcome, chosen, why_not
from portal.billing.deciding.withdrawals import why_settled_row
from portal.billing.sentences import REFUSED
from portal.database import current
from portal.database.batches import Report
from portal.errors import Conflict, Invalid, Refusal
from portal.people.readers import AgentReader
from portal.timekeeping import traces, versions
from portal.timekeeping.versions import Step, Verb


class Release(Table, tablename="release"):
    """A manager's decision that the minutes of an entry beyond the prepaid hours are charged and not held.

    The decision stays in force if the approval of the entry is withdrawn. The decision can be undone (`hold_again`)
    until a document settles the entry.
    """

    entry_id = BigInt(primary_key=True, default=None)
    customer_id = BigInt(default=None)
    released_by_id = BigInt(default=None)
    released_at = Timestamptz(default=None)


async def release(choices: Iterable[Choice], *, by: AgentReader, at: datetime) -> Outcome:
    """Release the chosen entries, so that their time beyond the prepaid hours is charged and not held.

    The allocations of the customers' open time (approved time that no document has settled) are recomputed. An entry
    may be released before it is approved. Return the entries that are now released, even if they were released before,
    and the entries that were refused. An entry is refused if `by` must not decide on it, if a document has settled it,
    if it is general time, or if somebody changed or deleted it since `by` saw it. Raise `Invalid` if no entry was
    chosen, `Forbidden` if `by` is not a manager.
    """

    async def step(rows: Sequence[Row]) -> None:
        made = await current().fetch(
            "insert into release (entry_id, customer_id, released_by_id, released_at)"
            " select e.id, e.customer_id, $2, $3 from time_entry e where e.id = any($1) on conflict do nothing returning entry_id",
            [row["id"] for row in rows], by.id, at,
        )  # fmt: skip
        await _record(Verb.RELEASED, rows, made, by, at)

    return await _decide(choices, step, by, at)


async def hold_again(choices: Iterable[Choice], *, by: AgentReader, at: datetime) -> Outcome:
    """Undo the release of the chosen entries, so that their time beyond the prepaid hours is held again.

    The allocations of the customers' open time are recomputed. Return the entries that are not released now, even if
    they were not released before, and the entries that were refused. An entry is refused, and errors are raised, as in
    `release`.
    """

    async def step(rows: Sequence[Row]) -> None:
        gone = await current().fetch(
            "delete from release where entry_id = any($1) returning entry_id", [row["id"] for row in rows]
        )
        await _record(Verb.HELD_AGAIN, rows, gone, by, at)

    return await _decide(choices, step, by, at)


async def _record(verb: Verb, rows: Sequence[Row], changed: Sequence[Row], by: AgentReader, at: datetime) -> None:
    """Write a version and an outbox row for each of the `rows` whose entry is in `changed`."""
    ids = {row["entry_id"] for row in changed}
    told = [row for row in rows if row["id"] in ids]
    await versions.keep(verb, [Step(row["id"], row["version"], row["state"]) for row in told], by, at)
    await traces.notify_all(told, "time.changed", by, at)


async def _decide(
    choices: Iterable[Choice], step: Callable[[Sequence[Row]], Awaitable[None]], by: AgentReader, at: datetime
) -> Outcome:
    seen = {choice.entry_id: choice.version for choice in choices}
    if not seen:
        raise Invalid({"entry": "Tick at least one entry."})
    rows = await chosen(seen, by, at)
    refused: dict[int, Refusal] = {id: Conflict(REFUSED["gone"]) for id in seen if id not in rows}
    refused |= {id: no for id, row in sorted(rows.items()) if (no := _why_not(row, by, seen[id]))}

    async def for_these(ids: Sequence[int]) -> None:
        await step([rows[id] for id in ids])

    report = await by_customer([id for id in sorted(rows) if id not in refused], rows, for_these)
    return Outcome.of(Report(report.done, report.refused | refused), rows)


def _why_not(row: Row, by: AgentReader, version: int) -> Refusal | None:
    if row["customer_id"] is None:
        return Conflict(REFUSED["general"])
    changed = Conflict(REFUSED["changed"]) if row["version"] != version else None
    return why_not(row, by) or why_settled_row(row, by) or changed
