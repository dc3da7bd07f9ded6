"""Load the contracts, rates and open time entries of customers as values of the engine.

There is one `Book` for each customer and currency, because a document has one currency (D45). This module only reads.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from portal.billing.allocating import billed
from portal.billing.allocating.billed import NOTHING_BILLED, Billed
from portal.billing.allocating.pools import NO_POOLS, Pools, load_pools
from portal.billing.allocating.terms import CONTRACTS, SERVICES, contract_of
from portal.billing.engine import (
    Allocation,
    AllocationKind,
    BillingState,
    ContractTerms,
    Entry,
    EntryBilling,
    Key,
    Price,
    RateSource,
    RateTable,
    RateTerms,
    Settlement,
)
from portal.database import current
from portal.money import digits_of
from portal.schedules import read
from portal.timekeeping.flags import IS_FLAGGED

Row = Any
"""A database row: an `asyncpg.Record`, or a mapping with the same keys."""


@dataclass(frozen=True, slots=True)
class Book:
    """What the engine needs to know to bill one customer in one currency.

    The entries in `state` are billable or at no charge. The entries are open (no document has settled them), unless
    `load_settled` has loaded them. `state.drawn` has the minutes that settled entries drew from prepaid minutes.
    `exemptions` says why a service is not taxable (D42), by the id of the service.
    """

    customer_id: int
    currency: str
    state: BillingState
    rates: RateTable
    exemptions: dict[int, str]


_RATES = """
select id, currency, hourly_rate, effective_from, role_id, agent_id, customer_id, service_id
from rate where customer_id is null or customer_id = any($1)
"""

# Until its day is rounded, an entry that is rounded by day counts with its unrounded minutes. In `worked_on`, projects
# have negative ids, so that they differ from cases. A partly settled entry has the minutes that a correction freed
# (D39). An approved entry has the fee and the role that its approval stored. Any other entry has the fee of its task,
# and its own role or, without one, the agent's present role.
_ENTRIES = f"""
select e.id, e.customer_id, s.contract_id, e.service_id, e.agent_id, g.name as agent_name, r.id as role_id, e.work_date, e.created_at, e.billing,
       coalesce(o.minutes, case when e.rounded_by_day and not exists (select 1 from settled_entry d where d.entry_id = e.id)
         then counted_minutes(e.stretches, e.actual_minutes) else e.billable_minutes end) as billable_minutes,
       coalesce(e.case_id, -e.project_id) as worked_on,
       case when e.stretches like '%@%' then e.stretches end as prices, e.billable_minutes as all_minutes,
       case when o.minutes is not null and e.stretches like '%@%' then (
         select jsonb_agg(jsonb_build_array(a.kind, a.minutes, case when a.rate_source = 'schedule' then a.hourly_rate::text end))
         from allocation a join settled_entry d on d.entry_id = a.entry_id and d.part = a.part where a.entry_id = e.id) end as settled_pieces,
       e.rounded_by_day and o.minutes is null as rounded_by_day, e.hourly_rate, e.external_comment, p.id as approval_id,
       p.hourly_rate as approved_rate,
       case when p.id is null then k.fixed_fee else p.fixed_fee end as fixed_fee, p.rate_source, p.rate_id,
       coalesce(p.role_name, r.name) as role_name, {IS_FLAGGED} as flagged,
       exists (select 1 from release l where l.entry_id = e.id) as released
from time_entry e
join service s on s.id = e.service_id
join agent g on g.id = e.agent_id
left join role r on r.id = coalesce(e.role_id, g.role_id)
left join approval p on p.entry_id = e.id and p.withdrawn_at is null
left join task k on k.id = e.task_id
left join reopened_entry o on o.entry_id = e.id
where e.customer_id = any($1) and e.billing <> 'not_billable' and {{which}}
"""  # noqa: S608
# The rows are counted, because the planner may turn `not exists` into a join with everything that was ever settled.
_OPEN = " and (select count(*) from closed_entry d where d.entry_id = e.id) = 0"
_ALL_APPROVED = _ENTRIES.format(which="(e.state = 'approved' or e.work_date < $2)") + _OPEN

# Entries under time-spent services do not compete for minutes, so further entries are loaded only for services with
# included or prepaid minutes, and for those that round by day.
_THESE = (
    _ENTRIES.format(
        which="""e.id in (
  select unnest($2::bigint[]) union all
  select o.id from service x join time_entry o on o.customer_id = x.customer_id and o.service_id = x.id
  where x.customer_id = any($1) and (x.settlement <> 'time_spent' or x.rounding_per = 'day') and o.state = 'approved')"""
    )
    + _OPEN
)
_SETTLED = _ENTRIES.format(which="e.id = any($2)")


async def load(
    customer_ids: Collection[int], *, unapproved_before: date = date.min, earliest: date | None = None
) -> list[Book]:
    """Return the books of these customers, ordered by customer id and then by currency.

    The books contain every approved entry that no document has settled. Unsettled entries that are not approved are
    included for days before `unapproved_before`. Entries that are not billable are in no book. Unlike the books of the
    other functions, these books contain the fees and vouchers that were billed before. `earliest` limits which drawn
    prepaid minutes are loaded: only those of periods and vouchers that can pay for this day or later days. If
    `earliest` is None, it is the first day of the loaded entries.
    """
    ids = sorted(customer_ids)
    rows = await current().fetch(_ALL_APPROVED, ids, unapproved_before)
    return await _books(ids, rows, await billed.load(ids), earliest)


async def load_these(customer_ids: Collection[int], entry_ids: Collection[int]) -> list[Book]:
    """Return books with the entries `entry_ids`, approved or not, and with all entries that may depend on one another.

    `customer_ids` are the customers of the entries. The entries that may depend on one another are the approved open
    entries of these customers whose service has included or prepaid minutes or rounds by day. Any other entry is loaded
    only if `entry_ids` contains its id. Settled entries and entries that are not billable are left out.
    """
    ids = sorted(customer_ids)
    return await _books(ids, await current().fetch(_THESE, ids, sorted(entry_ids)))


async def load_settled(customer_id: int, contract_id: int, entry_ids: Collection[Key]) -> Book:
    """Return the book of the given contract, filled with these entries, which a document has settled.

    The entries have the prices and roles that were approved. Their allocations are not in the book.
    """
    rows = await current().fetch(_SETTLED, [customer_id], sorted(entry_ids))
    books = await _books([customer_id], rows)
    return next(found for found in books if any(contract.id == contract_id for contract in found.state.contracts))


async def load_terms(customer_id: int) -> list[tuple[ContractTerms, str]]:
    """Return the contracts of a customer with their services, sorted by id, each in a tuple with its currency."""
    services = defaultdict(list)
    for row in await current().fetch(SERVICES, [customer_id]):
        services[row["contract_id"]].append(row)
    contracts = await current().fetch(CONTRACTS, [customer_id])
    return [(contract_of(row, services[row["id"]]), row["currency"]) for row in contracts]


async def load_rates(customer_id: int, currency: str) -> RateTable:
    """Return the rates that may apply to a customer's time in a currency."""
    return _table(await current().fetch(_RATES, [customer_id]), customer_id, currency)


async def _books(
    ids: list[int], rows: list[Row], before: Billed = NOTHING_BILLED, earliest: date | None = None
) -> list[Book]:
    fetch = current().fetch
    services, prepaid, rolls = defaultdict(list), False, False
    for row in await fetch(SERVICES, ids):
        services[row["contract_id"]].append(row)
        prepaid = prepaid or row["settlement"] != Settlement.TIME_SPENT
        rolls = rolls or row["rolls_over"]
    contracts: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in await fetch(CONTRACTS, ids):
        contracts[row["customer_id"], row["currency"]].append(row)
    entries = defaultdict(list)
    for row in rows:
        entries[row["contract_id"]].append(row)
    rates = await fetch(_RATES, ids)
    earliest = earliest or min((row["work_date"] for row in rows), default=date.max)
    pools = await load_pools(ids, earliest, rolls=rolls) if prepaid else NO_POOLS
    # Run this in a worker thread, because 10,000 entries would keep other requests waiting.
    return await asyncio.to_thread(_filled, contracts, services, entries, rates, pools, before)


def _filled(
    contracts: dict[tuple[int, str], list[Row]],
    services: dict[int, list[Row]],
    entries: dict[int, list[Row]],
    rates: list[Row],
    pools: Pools,
    before: Billed,
) -> list[Book]:
    """Return a book for each customer and currency from database rows, sorted by customer id and then by currency.

    `contracts` has rows by customer and currency; `services` and `entries` have rows by contract id. `rates`, `pools`
    and `before` (what was billed before) are for all customers in `contracts`.
    """
    return [
        _book(customer_id, currency, mine, services, entries, rates, pools, before)
        for (customer_id, currency), mine in sorted(contracts.items())
    ]


def _book(
    customer_id: int,
    currency: str,
    contracts: list[Row],
    services: dict[int, list[Row]],
    entries: dict[int, list[Row]],
    rates: list[Row],
    pools: Pools,
    before: Billed,
) -> Book:
    mine = [row for contract in contracts for row in entries.get(contract["id"], ())]
    vouchers = tuple(pools.vouchers.get((customer_id, currency), ()))
    return Book(
        customer_id=customer_id,
        currency=currency,
        state=BillingState(
            contracts=tuple(contract_of(row, services.get(row["id"], [])) for row in contracts),
            vouchers=vouchers,
            entries=tuple(map(_entry, mine)),
            approved={row["id"]: _price(row) for row in mine if row["approval_id"] is not None},
            released=frozenset(row["id"] for row in mine if row["released"]),
            flagged=frozenset(row["id"] for row in mine if row["flagged"]),
            drawn=pools.drawn,
            rolled=pools.rolled,
            billed_fees=before.fees,
            charged=before.charged,
            billed_vouchers=before.vouchers | pools.sold_elsewhere,
            digits=digits_of(currency),
        ),
        rates=_table(rates, customer_id, currency),
        exemptions={
            row["id"]: row["exemption_reason"]
            for contract in contracts
            for row in services.get(contract["id"], ())
            if not row["taxable"]
        },
    )


_BILLING = {each.value: each for each in EntryBilling}
_SOURCE = {each.value: each for each in RateSource}
"""The members of the two enumerations by value.

Looking up a member here takes a fifth of the time of calling the enumeration, which matters for 10,000 entries.
"""


def _entry(row: Row) -> Entry:
    entry = Entry(
        id=row["id"],
        service=row["service_id"],
        agent=row["agent_id"],
        agent_name=row["agent_name"],
        role=row["role_id"] if row["approval_id"] is None else row["role_name"],
        role_name=row["role_name"] or "",
        date=row["work_date"],
        created=row["created_at"],
        billing=_BILLING[row["billing"]],
        billable_minutes=row["billable_minutes"],
        hourly_rate=row["hourly_rate"],
        external_comment=row["external_comment"],
        fixed_fee=row["fixed_fee"],
        case=row["worked_on"],
        is_override=not row["rounded_by_day"],
    )
    if not row["prices"]:
        return entry
    priced = replace(entry, stretches=read(row["prices"]))
    if row["settled_pieces"] is None:
        return priced
    settled = [_settled_piece(entry.id, *piece) for piece in json.loads(row["settled_pieces"])]
    return replace(priced, billable_minutes=row["all_minutes"]).without(settled)


def _settled_piece(entry: Key, kind: str, minutes: int, rate: str | None) -> Allocation:
    """Return a settled allocation with only what `Entry.without` uses: its kind, its minutes and its scheduled rate.

    `rate` is the hourly rate of the allocation if a window of the service sets it (`RateSource.SCHEDULE`), else None.
    """
    price = None if rate is None else Price(Decimal(rate), RateSource.SCHEDULE)
    return Allocation(entry, 0, AllocationKind(kind), minutes, Decimal(0), price=price)


def _price(row: Row) -> Price | None:
    if row["approved_rate"] is None:
        return None
    return Price(row["approved_rate"], _SOURCE[row["rate_source"]], row["rate_id"])


def _table(rows: list[Row], customer_id: int, currency: str) -> RateTable:
    """Return the rates that may apply to a customer's time in a currency. `rows` are the rows of the query `_RATES`."""
    return RateTable(
        _rate(row) for row in rows if row["currency"] == currency and row["customer_id"] in (None, customer_id)
    )


def _rate(row: Row) -> RateTerms:
    return RateTerms(
        hourly_rate=row["hourly_rate"],
        starts=row["effective_from"],
        service=row["service_id"],
        agent=row["agent_id"],
        role=row["role_id"],
        customer=row["customer_id"] is not None and row["service_id"] is None,
        id=row["id"],
    )
