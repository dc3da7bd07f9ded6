"""Approve, reject or flag time, as a manager, and lift flags.

The functions first lock the customers of the entries, in the order of the ids, so that two managers never decide on the
same entry at the same time. Each function sends a few SQL statements, however many entries were chosen, and at the end
recomputes the allocations of each customer (D21). An entry that must not be decided on is reported with an error
message; the decision on the other entries takes effect nevertheless (D35).
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from portal.billing.allocating import book
from portal.billing.allocating.allocations import by_customer
from portal.billing.allocating.book import Row
from portal.billing.bounds import RunningTotals, nets_beside
from portal.billing.deciding.chosen import Choice, Outcome, chosen, customers_of, why_not
from portal.billing.deciding.withdrawals import why_settled_row
from portal.billing.engine import (
    ContractTerms,
    Entry,
    EntryBilling,
    Key,
    Price,
    RateTable,
    RefusalReason,
    ServiceTerms,
    coverable,
    overlong,
    verdict,
)
from portal.billing.sentences import REFUSED
from portal.database import current
from portal.database.batches import Report
from portal.errors import Conflict, Invalid, NotFound, Refusal
from portal.people.readers import AgentReader
from portal.timekeeping import flags, states, traces, versions
from portal.timekeeping.versions import Step, Verb


async def approve(choices: Iterable[Choice], *, by: AgentReader, at: datetime) -> Outcome:
    """Approve each chosen entry in the version that the manager saw, and fix its price or its fixed fee (C12, D17).

    A draft entry is submitted and approved at once (C4). Return the approved and the refused entries. All approvals of
    one call share a `decision`, the id by which they can be withdrawn together.

    An entry is refused, with an error message, for any of these reasons:

    - It is the manager's own time (D33), or `by` is neither an admin nor designated for the department or service of
      the entry (C10).
    - It is flagged (C3), or somebody changed or decided on it in the meantime.
    - Its day is before the start of its service or its contract, or after the end of the contract (D19).
    - There is no rate for it (D19), or its service is billed by role and its agent has no role.
    - Prepaid hours do not cover it wholly, and its service refuses such time (C8).
    - The rounding by day would make the entry longer than an entry may be.
    - With the entry, its contract would have more to bill than one document can hold.

    Raise `Forbidden` if `by` is not a manager. Raise `Invalid` if no entry was chosen.
    """
    rows, seen = await _locked(choices, by, at)
    customers = customers_of(rows.values())
    prices = _Prices(await book.load_these(customers, seen), await nets_beside(customers, seen))
    fixed: dict[int, Price | None] = {}
    decision = uuid.uuid4()

    def refusal(row: Row) -> Refusal | None:
        no = why_not(row, by, seen[row["id"]])
        if no or row["flag_id"]:
            return no or Conflict(REFUSED["flagged"].format(name=row["flagged_by"]))
        try:
            fixed[row["id"]] = prices.of(row)
        except Invalid as outside:
            return outside
        prices.add(row, fixed[row["id"]])
        return None

    async def step(rows: Sequence[Row]) -> None:
        marked = await states.mark_approved(_versions(rows), by=by, at=at)
        approvals = [(*_approved(row), *_priced(fixed[row["id"]]), prices.fee_of(row)) for row in rows]
        await current().execute(_APPROVALS, *zip(*approvals, strict=True), by.id, at, decision)
        await traces.notify_all(marked, "time.approved", by, at)

    return await _decide(rows, seen, refusal, step, decision, lambda ids: prices.beyond(ids, fixed))


_APPROVALS = """
insert into approval (customer_id, entry_id, agent_id, version, role_name, submission_implied, hourly_rate, rate_source, rate_id,
                      fixed_fee, approved_by_id, approved_at, decision)
select a.*, $11, $12, $13
from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::int[], $5::text[], $6::boolean[], $7::numeric[], $8::text[], $9::bigint[],
            $10::numeric[]) as a
"""


def _approved(row: Row) -> tuple[object, ...]:
    is_implied = row["state"] == "draft"
    return row["customer_id"], row["id"], row["agent_id"], row["version"], row["role_name"], is_implied


def _priced(price: Price | None) -> tuple[object, object, object]:
    return (price.hourly_rate, price.source.value, price.rate) if price else (None, None, None)


async def reject(choices: Iterable[Choice], *, reason: str, by: AgentReader, at: datetime) -> Outcome:
    """Reject the chosen entries, so that from `at` on their authors may change them again for a limited time (C3, C5).

    Return the entries that were rejected, and the entries that were refused. An entry is refused if `by` may not decide
    on it, or if somebody changed or decided on it in the meantime. A flagged entry can be rejected, and its flag stays.
    Raise `Invalid` if the reason is empty or too long or if no entry was chosen, `Forbidden` if `by` is not a manager.
    """
    reason = flags.checked("reason", reason, "Say why, so that the author knows what to change.")
    decision = uuid.uuid4()

    async def step(rows: Sequence[Row]) -> None:
        marked = await states.mark_rejected(_versions(rows), by=by, at=at, reason=reason)
        rejection: int = await current().fetchval(
            _REJECTIONS,
            *zip(*[(row["id"], row["version"], row["former_state"], row["former_window_from"]) for row in marked], strict=True),
            by.id, reason, at, decision,
        )  # fmt: skip
        await traces.notify_all(marked, "time.rejected", by, at, record_id=rejection)

    rows, seen = await _locked(choices, by, at)
    return await _decide(rows, seen, lambda row: why_not(row, by, seen[row["id"]]), step, decision)


_REJECTIONS = """
insert into rejection (entry_id, version, former_state, former_window_from, rejected_by_id, reason, rejected_at, decision)
select r.*, $5, $6, $7, $8 from unnest($1::bigint[], $2::int[], $3::text[], $4::timestamptz[]) as r
returning id
"""


async def flag(choices: Iterable[Choice], *, question: str, by: AgentReader, at: datetime) -> Outcome:
    """Ask the authors of entries a question; the entries are not billed until a manager lifts the flag (C3, S2.35).

    The entries keep their state and their allocations. Drafts, submitted and approved entries can be flagged. Return
    the entries that were flagged, and the entries that were refused. An entry is refused if `by` may not decide on it,
    if a document has settled it, if it was rejected or changed in the meantime, or if it is already flagged. Raise
    `Invalid` if the question is empty or too long or if no entry was chosen, `Forbidden` if `by` is not a manager.
    """
    question = flags.checked("question", question, "Write the question that the author is to answer.")
    decision = uuid.uuid4()

    async def step(rows: Sequence[Row]) -> None:
        flag_id: int = await current().fetchval(
            _FLAGS, *zip(*[(row["id"], row["version"]) for row in rows], strict=True), by.id, at, question, decision
        )
        steps = [Step(row["id"], row["version"], row["state"]) for row in rows]
        await versions.keep(Verb.FLAGGED, steps, by, at, note=question)
        await traces.notify_all(rows, "time.flagged", by, at, record_id=flag_id)

    rows, seen = await _locked(choices, by, at)
    return await _decide(rows, seen, lambda row: _why_no_flag(row, by, seen[row["id"]]), step, decision)


_FLAGS = """
insert into flag (entry_id, version, flagged_by_id, flagged_at, question, decision)
select f.*, $3, $4, $5, $6 from unnest($1::bigint[], $2::int[]) as f
returning id
"""


def _why_no_flag(row: Row, by: AgentReader, version: int) -> Refusal | None:
    if row["state"] == "approved":  # With a version, `why_not` would refuse every approved entry.
        changed = Conflict(REFUSED["changed"]) if row["version"] != version else None
        no = why_not(row, by) or why_settled_row(row, by) or changed
    else:
        no = why_not(row, by, version)
    return no or (Conflict(REFUSED["flagged_already"].format(name=row["flagged_by"])) if row["flag_id"] else None)


async def lift(flag_id: int, *, by: AgentReader, at: datetime) -> int:
    """Lift a flag, even if its question was not answered, and return the id of the flagged entry.

    Raise `NotFound` if there is no such flag, `Forbidden` if `by` is not a manager or may not decide on the entry, and
    `Conflict` if the flag was lifted before.
    """
    found = await flags.Flag.objects().where(flags.Flag.id == flag_id).first()
    if found is None:
        raise NotFound
    row = (await chosen([found.entry_id], by, at)).get(found.entry_id)
    if row is None:  # The entry was deleted in the meantime, and its flag with it.
        raise NotFound
    if no := why_not(row, by):
        raise no
    if row["flag_id"] != flag_id:
        raise Conflict(flags.LIFTED)
    await flags.lift_of([row["id"]], by=by, at=at)
    await traces.notify_all([row], "time.changed", by, at)
    entry_id: int = row["id"]
    return entry_id


class _Prices:
    """The hourly prices of the chosen entries, and for each contract a running total of the amounts to bill.

    `books` hold the chosen entries. `others` holds, by contract, the net amounts of the approved entries that are not
    in `books`.
    """

    def __init__(self, books: Collection[book.Book], others: Mapping[Key, Decimal]) -> None:
        self._places: dict[Any, tuple[Entry, ContractTerms, ServiceTerms, RateTable]] = {}
        self._totals: dict[Any, RunningTotals] = {}
        self._states = [each.state for each in books]
        for each in books:
            places = each.state.places()
            self._places |= {entry.id: (entry, *places[entry.service], each.rates) for entry in each.state.entries}
            self._totals |= dict.fromkeys((entry.id for entry in each.state.entries), RunningTotals(each.state, others))

    def of(self, row: Row) -> Price | None:
        """Return the hourly price of an entry, or None if the entry needs no price.

        Raise `Invalid` with an error message if its day, its role or a missing rate forbids the approval, or if its
        contract would have more to bill than one document can hold.
        """
        if row["billing"] == EntryBilling.NOT_BILLABLE:
            return None
        entry, contract, service, rates = self._places[row["id"]]
        found = verdict(entry, contract, service, rates)
        if isinstance(found, RefusalReason):
            raise Invalid({"": self._sentence(found, row["id"])})
        if not self._totals[row["id"]].can_add(entry, found):
            raise Invalid({"": self._sentence("too_large", row["id"])})
        return found

    def fee_of(self, row: Row) -> Decimal | None:
        """Return the fixed fee of the entry's task, which replaces the hourly price.

        Return None if there is no fixed fee or the entry is not billable.
        """
        if row["billing"] == EntryBilling.NOT_BILLABLE:
            return None
        return self._places[row["id"]][0].fixed_fee

    def beyond(self, ids: Iterable[int], fixed: Mapping[int, Price | None]) -> dict[int, Refusal]:
        """Return the refusals that arise if all entries `ids` are approved together, by entry id.

        An entry is refused if rounding by day gives it more minutes than an entry may have. It is also refused if its
        service demands that prepaid minutes cover an entry wholly, and they do not. `fixed` has the prices by entry id.
        """
        prices: dict[Key, Price | None] = {id: fixed[id] for id in ids if id in self._places}
        long = {id for state in self._states for id in overlong(state, prices)}
        prices = {id: price for id, price in prices.items() if id not in long}
        covered = {id for state in self._states for id in coverable(state, prices)}
        reasons = dict.fromkeys(long, "too_long") | {id: "beyond_prepaid" for id in prices if id not in covered}
        return {int(id): Conflict(self._sentence(reason, int(id))) for id, reason in reasons.items()}

    def _sentence(self, reason: str, id: int) -> str:
        entry, contract, service, _ = self._places[id]
        return REFUSED[reason].format(entry=entry, contract=contract, service=service)

    def add(self, row: Row, price: Price | None) -> None:
        """Add an entry, approved at `price`, to the running total of its contract, unless the entry is not billable."""
        if row["id"] in self._places:
            self._totals[row["id"]].add(self._places[row["id"]][0], price)


def _versions(rows: Iterable[Row]) -> dict[int, int]:
    return {row["id"]: row["version"] for row in rows}


async def _locked(choices: Iterable[Choice], by: AgentReader, at: datetime) -> tuple[dict[int, Row], dict[int, int]]:
    """Lock the chosen entries, and return two dictionaries by entry id: their rows, and the versions that `by` saw.

    Raise `Forbidden` if `by` is not a manager, `Invalid` if no entry was chosen.
    """
    seen = {choice.entry_id: choice.version for choice in choices}
    rows = await chosen(seen, by, at)
    if not seen:
        raise Invalid({"entry": "Tick at least one entry."})
    return rows, seen


async def _decide(
    rows: Mapping[int, Row],
    seen: Collection[int],
    refusal: Callable[[Row], Refusal | None],
    step: Callable[[Sequence[Row]], Awaitable[None]],
    decision: uuid.UUID,
    together: Callable[[list[int]], dict[int, Refusal]] = lambda ids: {},
) -> Outcome:
    """Decide on the entries that are not refused, and return the outcome.

    `step` decides on some rows of one customer; `by_customer` calls it for each customer. `refusal` returns the reason
    why a row must not be decided on, or None. `together` gets the ids of all entries that would be decided on, and
    returns, by entry id, the refusals that arise if all of them are decided on together. `seen` holds the ids of all
    chosen entries; entries without a row were deleted in the meantime. `decision` is the id by which the decision can
    be undone.
    """
    refused: dict[int, Refusal] = {id: Conflict(REFUSED["gone"]) for id in seen if id not in rows}
    # Run this in a worker thread, because 10,000 prices would keep other requests waiting.
    refused |= await asyncio.to_thread(lambda: {id: no for id in sorted(rows) if (no := refusal(rows[id]))})
    refused |= await asyncio.to_thread(together, [id for id in sorted(rows) if id not in refused])

    async def for_these(ids: Sequence[int]) -> None:
        await step([rows[id] for id in ids])

    report = await by_customer([id for id in sorted(rows) if id not in refused], rows, for_these)
    return Outcome.of(Report(report.done, report.refused | refused), rows, decision if report.done else None)
