"""A manager's yes or no to time, and taking a yes back. Who may, which price it fixes, and that two managers never decide twice.

Every verb locks the customers concerned first, in the order of ids, and allocates their open time anew before it ends (D21). An
entry that cannot be decided on, for whatever reason, is reported with a sentence while the others go through (D35).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.billing import book
from portal.billing.allocations import allocate_anew, lock_customers
from portal.billing.book import Row
from portal.billing.bounds import Room
from portal.billing.engine import (
    Contract,
    Entry,
    EntryBilling,
    Price,
    RateTable,
    RefusalReason,
    Service,
    verdict,
)
from portal.billing.sentences import REFUSED
from portal.database import current
from portal.database.batches import Report, all_or_report
from portal.errors import Conflict, Forbidden, Invalid, Refusal
from portal.people.readers import AgentReader
from portal.timekeeping import states, traces
from portal.visible import visible

LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry as somebody saw it."""

    entry_id: int
    version: int

    @classmethod
    def parse(cls, text: str) -> "Choice":
        """`id:version`, as a tick box sends it. Raises `Invalid`."""
        entry_id, _, version = text.partition(":")
        if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in (entry_id, version)):
            raise Invalid({"entry": "Tick entries of the list."})
        return cls(int(entry_id), int(version))


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that was left as it is, with the sentence that says why; `status` is the HTTP status of that kind of refusal."""

    entry_id: int
    sentence: str
    status: int = Conflict.status


@dataclass(frozen=True, slots=True)
class Outcome:
    """All-or-report: the ids of the entries that were decided on, and what was left out."""

    done: tuple[int, ...]
    refused: tuple[Refused, ...]

    @property
    def status(self) -> int:
        """200 where anything was done, else the refusal's own status, the one of a conflict first."""
        statuses = {refused.status for refused in self.refused}
        return 200 if self.done or not statuses else Conflict.status if Conflict.status in statuses else min(statuses)


_CHOSEN = """
with recursive mine as (
  select department_id as id from designation where agent_id = $2
  union select d.id from department d join mine on d.parent_id = mine.id
)
select e.id, e.version, e.state, e.agent_id, g.name as agent_name, e.customer_id, e.billing, r.name as role_name,
       s.contract_id, g.department_id in (select id from mine) as designated, a.name as approved_by,
       exists (select 1 from settled_entry d where d.entry_id = e.id) as settled
from time_entry e
join agent g on g.id = e.agent_id
left join role r on r.id = g.role_id
left join service s on s.id = e.service_id
left join approval p on p.entry_id = e.id and p.withdrawn_at is null
left join agent a on a.id = p.approved_by_id
where e.id = any($1) order by e.id for no key update of e
"""


async def approve(choices: Iterable[Choice], *, by: AgentReader, at: datetime) -> Outcome:
    """Say yes to each entry in the version that was seen, and fix its price (C12, D17). Drafts count as submitted with it (C4).

    Refused, each with its sentence: own time (D33), time of departments that `by` is not designated for (C10; an admin may
    all), what was changed or decided meanwhile, days outside of the contract, and what has no price (D19).
    Raises `Forbidden` for an agent who is no manager.
    """
    return await _decide(choices, by, at, _approve_one)


async def reject(choices: Iterable[Choice], *, reason: str, by: AgentReader, at: datetime) -> Outcome:
    """Send entries back to their author, who may change them for 24 hours from `at` (C3, C5). A reason is needed: raises `Invalid`."""
    reason = visible(reason).strip()
    if not reason:
        raise Invalid({"reason": "Say why, so that the author knows what to change."})
    if len(reason) > LONGEST_REASON:
        raise Invalid({"reason": f"Use at most {LONGEST_REASON} characters."})

    async def reject_one(row: Row, prices: "_Prices") -> None:
        entry = await states.mark_rejected(row["id"], row["version"], at=at)
        await current().execute(
            "insert into rejection (entry_id, version, rejected_by_id, reason, rejected_at) values ($1, $2, $3, $4, $5)",
            row["id"], row["version"], by.id, reason, at,
        )  # fmt: skip
        await traces.tell(entry, "time.rejected", by, at)

    return await _decide(choices, by, at, lambda *_: reject_one)


async def withdraw(entry_id: int, *, by: AgentReader, at: datetime) -> None:
    """Take an approval back: the entry is submitted again and its allocations are gone. Raises `Conflict` for a settled one (C2)."""
    row = await open_for_change(entry_id, by=by)
    if row["state"] != "approved":
        raise Conflict("This time is not approved.")
    if reason := _why_not(row, by):
        raise reason
    await drop(row, by=by, at=at)
    await allocate_anew(_customers([row]))


async def open_for_change(entry_id: int, *, by: AgentReader) -> Row:
    """Lock an entry and its customer for a decision of `by`. Raises `Forbidden`, `NotFound`, and `Conflict` where a document has settled it."""
    _refuse_agents(by)
    row = (await _chosen([entry_id], by)).get(entry_id)
    if row is None:
        raise Conflict(REFUSED["gone"])
    if row["settled"]:
        raise Conflict(REFUSED["settled"])
    return row


async def drop(row: Row, *, by: AgentReader, at: datetime) -> None:
    """Make an approved entry a submitted one again. The caller allocates anew."""
    await current().execute("delete from allocation where entry_id = $1", row["id"])
    await current().execute(
        "update approval set withdrawn_at = $2, withdrawn_by_id = $3 where entry_id = $1 and withdrawn_at is null",
        row["id"], at, by.id,
    )  # fmt: skip
    entry = await states.mark_submitted(row["id"], row["version"], at=at)
    await traces.tell(entry, "time.changed", by, at)


class _Prices:
    """What the engine knows of the chosen entries: their place, and the price of an hour."""

    def __init__(self, books: Collection[book.Book]) -> None:
        self._places: dict[Any, tuple[Entry, Contract, Service, RateTable]] = {}
        self._rooms: dict[Any, Room] = {}
        for each in books:
            places = each.state.places()
            self._places |= {entry.id: (entry, *places[entry.service], each.rates) for entry in each.state.entries}
            self._rooms |= dict.fromkeys((entry.id for entry in each.state.entries), Room(each.state))

    def of(self, row: Row) -> Price | None:
        """The price of an entry, None where it needs none. Raises `Invalid` where there is a reason against approving it."""
        if row["billing"] == EntryBilling.NOT_BILLABLE:
            return None
        entry, contract, service, rates = self._places[row["id"]]
        found = verdict(entry, contract, service, rates)
        if isinstance(found, RefusalReason):
            raise Invalid({"": REFUSED[found].format(entry=entry, contract=contract, service=service)})
        if not self._rooms[row["id"]].has(entry, found):
            raise Invalid({"": REFUSED["too_large"].format(contract=contract)})
        return found

    def take(self, row: Row, price: Price | None) -> None:
        """Count an entry that was approved at `price` towards what its contract has to bill."""
        if row["id"] in self._places:
            self._rooms[row["id"]].take(self._places[row["id"]][0], price)


_Step = Callable[[Row, _Prices], Any]


def _approve_one(by: AgentReader, at: datetime) -> _Step:
    async def step(row: Row, prices: _Prices) -> None:
        price = prices.of(row)
        implied = row["state"] == "draft"
        entry = await states.mark_approved(row["id"], row["version"], at=at)
        await current().execute(
            "insert into approval (customer_id, entry_id, agent_id, approved_by_id, version, hourly_rate, rate_source, rate_id, role_name,"
            " submission_implied, approved_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            row["customer_id"], row["id"], row["agent_id"], by.id, row["version"], price.hourly_rate if price else None,
            price.source.value if price else None, price.rate if price else None, row["role_name"], implied, at,
        )  # fmt: skip
        prices.take(row, price)
        await traces.tell(entry, "time.approved", by, at)

    return step


async def _decide(
    choices: Iterable[Choice], by: AgentReader, at: datetime, step_of: Callable[[AgentReader, datetime], _Step]
) -> Outcome:
    _refuse_agents(by)
    seen = {choice.entry_id: choice.version for choice in choices}
    if not seen:
        raise Invalid({"entry": "Tick at least one entry."})
    rows = await _chosen(seen, by)
    prices, step = _Prices(await book.load(_customers(rows.values()), entry_ids=list(seen))), step_of(by, at)
    entries: dict[int | None, list[int]] = defaultdict(list)
    for entry_id in sorted(seen):
        entries[rows[entry_id]["customer_id"] if entry_id in rows else None].append(entry_id)

    async def decide_on(entry_id: int) -> None:
        row = rows.get(entry_id)
        if no := Conflict(REFUSED["gone"]) if row is None else _why_not(row, by, seen[entry_id]):
            raise no
        await step(row, prices)

    async def decide_for(customer_id: int | None) -> Report[int, None]:
        report = await all_or_report(entries[customer_id], decide_on, reader=current().reader)
        if report.done and customer_id is not None:
            await allocate_anew([customer_id])
        return report

    # A customer's entries are allocated together: where that fails, none of them is decided on.
    customers = await all_or_report(entries, decide_for, reader=current().reader)
    done = [entry_id for report in customers.done.values() for entry_id in report.done]
    refused = {entry_id: reason for report in customers.done.values() for entry_id, reason in report.refused.items()}
    refused |= {
        entry_id: reason for customer_id, reason in customers.refused.items() for entry_id in entries[customer_id]
    }
    return Outcome(
        tuple(sorted(done)),
        tuple(Refused(entry_id, reason.sentence, reason.status) for entry_id, reason in sorted(refused.items())),
    )


def _refuse_agents(by: AgentReader) -> None:
    if not by.is_manager:
        raise Forbidden("Only managers may decide on time.")


async def _chosen(ids: Collection[int], by: AgentReader) -> dict[int, Row]:
    """The chosen entries as they stand, locked, their customers locked before them."""
    tx, ids = current(), list(ids)
    await lock_customers(
        [
            row["customer_id"]
            for row in await tx.fetch(
                "select distinct customer_id from time_entry where id = any($1) and customer_id is not null", ids
            )
        ]
    )
    return {row["id"]: row for row in await tx.fetch(_CHOSEN, ids, by.id)}


def _customers(rows: Iterable[Row]) -> list[int]:
    return sorted({row["customer_id"] for row in rows if row["customer_id"] is not None})


def _why_not(row: Row, by: AgentReader, version: int | None = None) -> Refusal | None:
    """Return why `by` cannot decide on this entry, seen in `version`, or None."""
    if row["agent_id"] == by.id:
        return Forbidden(REFUSED["own"])
    if not (row["designated"] or by.is_admin):
        return Forbidden(REFUSED["not_designated"].format(name=row["agent_name"]))
    if version is None:
        return None
    if row["state"] == "approved":
        return Conflict(REFUSED["approved"].format(name=row["approved_by"] or "somebody else"))
    if row["state"] == "rejected":
        return Conflict(REFUSED["rejected"].format(name=row["agent_name"]))
    return Conflict(REFUSED["changed"]) if row["version"] != version else None
