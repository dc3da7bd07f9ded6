"""Run billing: turn what is due up to a date into drafts and statements, and record which entries were skipped.

A run bills its customers in small groups. Unless the caller has a transaction, each group is billed in a transaction of
its own. So a run that is killed has billed some customers completely and the others not at all; `resume` continues the
run. A repeated run finds nothing left to bill (D47).
"""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from math import inf
from time import monotonic
from typing import Any

from piccolo.columns import BigInt, BigSerial, Boolean, Date, Integer, Text, Timestamptz
from piccolo.table import Table

from portal import jobs
from portal.billing.locks import lock_customers, lock_free_customers
from portal.billing.running.due import customers_due, until_days
from portal.billing.running.making import Order, bill_customer, bill_together
from portal.billing.running.skipping import skip_all, skip_unticked
from portal.database import Reader, current, transaction
from portal.database.batches import all_or_report
from portal.database.rows import insert_all, insert_one
from portal.errors import Forbidden, Invalid, Refusal, Unavailable
from portal.people.agents import reader_of_agent
from portal.people.readers import SYSTEM, AgentReader

PATIENCE = timedelta(seconds=3)
"""The time for which a run is carried out while the request waits. After that, a job continues the run."""

MOST_ENTRIES = 5_000
"""The maximum number of entries in one transaction that bills several customers.

Until the transaction ends, decisions on the time of these customers wait.
"""

MOST_CUSTOMERS = 50
"""The maximum number of customers who are billed in one transaction."""


class BillingRun(Table, tablename="billing_run"):
    """One execution of billing up to the day before `until`.

    With `issues`, its drafts are issued at once. `scheduled` says whether the schedule began the run. `finished_at` is
    None until all customers are billed.
    """

    id = BigSerial(primary_key=True)
    until = Date(default=None)
    run_by_id = BigInt(default=None)
    run_at = Timestamptz(default=None)
    issues = Boolean(default=False)
    scheduled = Boolean(default=False)
    finished_at = Timestamptz(null=True, default=None)


class RunCustomer(Table, tablename="run_customer"):
    """A customer whom a run bills. The primary key is the run and the customer.

    `done_at` is None until the customer is billed; `sentence` is the error message if something was refused, or None.
    `entries` is the number of the customer's open entries when the run began, including approved entries of later days.
    """

    run_id = BigInt(primary_key=True, default=None)
    customer_id = BigInt(default=None)
    done_at = Timestamptz(null=True, default=None)
    sentence = Text(null=True, default=None)
    entries = Integer(default=None)


@dataclass(frozen=True, slots=True)
class Run:
    """The ids of a billing run and of the drafts and statements that the run made."""

    id: int
    draft_ids: tuple[int, ...]
    statement_ids: tuple[uuid.UUID, ...]


class Ending(StrEnum):
    """How far a run came.

    `FINISHED`: all customers are billed. `NOTHING`: nothing was due for any customer, or there is no such run.
    `UNDER_WAY`: some customers are not billed yet.
    """

    FINISHED = "finished"
    NOTHING = "nothing"
    UNDER_WAY = "under way"


async def run(until: date, customer_ids: Collection[int], *, by: AgentReader, at: datetime) -> Run | None:
    """Make a draft or a statement for each contract of these customers for which something is due up to `until`.

    Everything happens in the caller's transaction, in which the customers stay locked. Return the ids of the run and of
    its documents, or None if nothing was due; then nothing is stored. Raise the same errors as `begin`.
    """
    reader = current().reader
    # Lock all customers in the order of the ids. `go_on` alone would first lock the customers that are free, and only
    # then the customers that other transactions have locked.
    await lock_customers(customer_ids)
    run_id = await _store(until, customer_ids, by=by, at=at)
    if await go_on(run_id, by=by, at=at, reader=reader) is Ending.NOTHING:
        return None
    drafts = await current().fetch("select id from invoice where run_id = $1 order by id", run_id)
    statements = await current().fetch(
        "select s.id from statement s where s.run_id = $1 order by s.customer_id, s.contract_id", run_id
    )
    return Run(run_id, tuple(row["id"] for row in drafts), tuple(row["id"] for row in statements))


async def begin(
    until: date, customer_ids: Collection[int] | None, *, by: AgentReader, at: datetime, issues: bool = False, scheduled: bool = False
) -> int:  # fmt: skip
    """Store a run with its customers, none of whom is billed yet, and return the id of the run.

    If `customer_ids` is None, the run is for all customers. Customers for whom nothing can be due are left out. A
    customer without time to bill stays in the run if a fee or a voucher may be due. With `issues`, the run also issues
    its drafts. The caller may bill the customers at once (`go_on`); after `PATIENCE`, a job continues the run. Raise
    `Forbidden` if `by` is not a manager, `Invalid` if `until` is after tomorrow or if `customer_ids` is empty.
    """
    run_id = await _store(until, customer_ids, by=by, at=at, issues=issues, scheduled=scheduled)
    await jobs.enqueue_later("bill", PATIENCE, run=run_id)
    return run_id


async def _store(
    until: date, customer_ids: Collection[int] | None, *, by: AgentReader, at: datetime, issues: bool = False, scheduled: bool = False
) -> int:  # fmt: skip
    if not by.is_manager:
        raise Forbidden("Only managers may bill.")
    (await until_days(at)).parse(until.isoformat())
    if customer_ids is not None and not customer_ids:
        raise Invalid({"customer": "Tick at least one customer."})
    due = await customers_due(until)
    chosen = set(due) if customer_ids is None else set(customer_ids)
    run_id: int = await insert_one(
        BillingRun,
        {"until": until, "run_by_id": by.id, "run_at": at, "issues": issues, "scheduled": scheduled},
        returning="id",
    )
    await insert_all(
        RunCustomer,
        [{"run_id": run_id, "customer_id": id, "entries": entries} for id, entries in due.items() if id in chosen],
    )
    return run_id


async def resume(run_id: int, at: datetime) -> Ending:
    """Continue a run, as a job of the worker, and return how far it came.

    If the run is finished or was removed, do nothing, and return `FINISHED`. The run bills in the name of the agent who
    began it, even if that agent has left since. A run that was begun by hand is kept even if nothing was due, because
    somebody may look at its page. If another process is billing a customer of the run at this moment, return
    `UNDER_WAY`. Raise `Unavailable` as `go_on` does.
    """
    async with transaction(SYSTEM) as tx:
        run = await tx.fetchrow(
            "select run_by_id, scheduled from billing_run where id = $1 and finished_at is null", run_id
        )
        by = await reader_of_agent(run["run_by_id"], even_left=True) if run else None
    if run is None or by is None:
        return Ending.FINISHED
    return await go_on(run_id, by=by, at=at, reader=by, keeps=not run["scheduled"])


async def manager_of(agent_id: int) -> AgentReader | None:
    """Return an agent as a reader, or None if the agent has left or is not a manager."""
    found = await reader_of_agent(agent_id)
    return found if found and found.is_manager else None


async def go_on(
    run_id: int,
    *,
    by: AgentReader,
    at: datetime,
    reader: Reader | None,
    within: timedelta | None = None,
    keeps: bool = False,
) -> Ending:
    """Bill the waiting customers of a run in small groups, and return how far the run came.

    Each group is billed in a transaction of `reader`, or in a savepoint if a transaction is open. Once the time
    `within` has passed, no further customer is billed. Two processes may continue the same run: each customer is billed
    by only one of them. When no customer waits any longer, finish the run. If nothing was due, remove the run instead,
    unless `keeps` is set. A refusal is recorded, and the run continues with the next customer. If the database could
    not be reached or another transaction held a lock, the customer stays waiting, and `Unavailable` is raised after the
    other customers were billed.
    """
    began = monotonic()
    async with transaction(reader) as tx:
        row = await tx.fetchrow("select until, issues from billing_run where id = $1", run_id)
        waiting = await tx.fetch(_WAITING, run_id)
    if row is None:
        return Ending.NOTHING
    order, away = Order(run_id, row["until"], row["issues"], by, at), None
    until = began + within.total_seconds() if within else inf
    for group in _groups(waiting, order.issues):
        done = await _together(order, group, reader) if len(group) > 1 and monotonic() < until else set()
        for customer_id in group:
            if customer_id not in done and monotonic() < until:
                away = await _alone(order, customer_id, reader) or away
    if away:
        raise away
    async with transaction(reader):
        return await _finish(order, keeps=keeps)


_WAITING = "select customer_id, entries from run_customer where run_id = $1 and done_at is null order by customer_id"
_TAKE = """
select customer_id from run_customer where run_id = $1 and done_at is null and customer_id = any($2) order by customer_id for update skip locked
"""


def _groups(waiting: Iterable[Any], issues: bool) -> Iterator[tuple[int, ...]]:
    """Yield groups of customers, each to be billed in one transaction; `waiting` are rows of `_WAITING`.

    A customer with more than `MOST_ENTRIES` entries is a group alone. If the run `issues` its drafts, each customer is
    a group alone, because issuing takes long.
    """
    group, entries = list[int](), 0
    for row in waiting:
        if group and (issues or len(group) == MOST_CUSTOMERS or entries + row["entries"] > MOST_ENTRIES):
            yield tuple(group)
            group, entries = [], 0
        group.append(row["customer_id"])
        entries += row["entries"]
    if group:
        yield tuple(group)


async def _together(order: Order, group: tuple[int, ...], reader: Reader | None) -> set[int]:
    """Bill a group of customers of a run, mark them as done, and return the ids of those who are done.

    Customers whom another transaction has locked are left out. If billing any customer is refused, no customer of the
    group is billed.
    """

    async def step(ids: tuple[int, ...]) -> set[int]:
        free = await lock_free_customers(await _taken(order, ids))
        await _done(order, await bill_together(order, free) if free else {})
        return set(free)

    return (await all_or_report([group], step, reader=reader)).done.get(group, set())


async def _alone(order: Order, customer_id: int, reader: Reader | None) -> Unavailable | None:
    """Bill one customer of a run, unless another process bills or has billed them, and mark the customer as done.

    If the database could not be reached or another transaction held a lock, the customer still waits: return the error.
    Any other refusal is recorded, and the customer is done.
    """

    async def step(id: int) -> None:
        if await _taken(order, [id]):
            await _done(order, {id: await bill_customer(order, id)})

    why = (await all_or_report([customer_id], step, reader=reader)).refused.get(customer_id)
    if isinstance(why, Unavailable):
        return why
    if why is not None:
        async with transaction(reader):
            await _refuse(order, customer_id, why)
    return None


async def _refuse(order: Order, customer_id: int, why: Refusal) -> None:
    if await _taken(order, [customer_id]):
        await skip_all(order.run_id, order.until, customer_id, why)
        await _done(order, {customer_id: [why.sentence]})


async def _taken(order: Order, customer_ids: Collection[int]) -> list[int]:
    """Lock the run's rows of these customers, and return the ids of the customers whose rows could be locked.

    Customers who are done, or whom another process is billing, are left out.
    """
    return [row["customer_id"] for row in await current().fetch(_TAKE, order.run_id, customer_ids)]


async def _done(order: Order, refused: Mapping[int, Iterable[str]]) -> None:
    """Mark customers as billed, and store their error messages. `refused` has the messages of each customer by id."""
    await current().execute(
        "update run_customer r set done_at = $2, sentence = nullif(d.sentence, '')"
        " from unnest($3::bigint[], $4::text[]) as d (id, sentence) where r.run_id = $1 and r.customer_id = d.id",
        order.run_id,
        order.at,
        list(refused),
        [" ".join(dict.fromkeys(sentences)) for sentences in refused.values()],
    )


_STATE = """
select finished_at is not null as finished,
       exists (select from run_customer c where c.run_id = r.id and c.done_at is null) as waits,
       exists (select from run_customer c where c.run_id = r.id and c.sentence is not null)
         or exists (select from invoice i where i.run_id = r.id) or exists (select from statement s where s.run_id = r.id)
         or exists (select from billed_fee f where f.run_id = r.id)
         or exists (select from billed_voucher v where v.run_id = r.id)
         or exists (select from rolled_minutes m where m.run_id = r.id) as made
from billing_run r where r.id = $1 for update
"""


async def _finish(order: Order, *, keeps: bool) -> Ending:
    """Finish a run if all of its customers are billed, and return how far it came.

    A run that neither billed nor refused anything is deleted instead, unless `keeps` is set.
    """
    tx, run_id = current(), order.run_id
    state = await tx.fetchrow(_STATE, run_id)
    if state is None:
        return Ending.NOTHING
    if state["waits"]:
        return Ending.UNDER_WAY
    if state["finished"]:
        return Ending.FINISHED
    if not state["made"] and not keeps:
        await tx.execute("delete from skipped_entry where run_id = $1", run_id)
        await tx.execute("delete from billing_run where id = $1", run_id)
        return Ending.NOTHING
    await skip_unticked(run_id, order.until)
    await tx.execute("update billing_run set finished_at = $2 where id = $1", run_id, order.at)
    return Ending.FINISHED
