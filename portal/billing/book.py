"""Load the contracts, rates and open time entries of customers as values of the engine.

There is one `Book` for each customer and currency, because a document has one currency (D45). This module only reads.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from portal.billing.engine import (
    BillingState,
    ContractTerms,
    Entry,
    EntryBilling,
    Key,
    Price,
    RateSource,
    RateTable,
    RateTerms,
    Rollup,
    ServiceTerms,
    Settlement,
    VatCategory,
    VatRate,
)
from portal.database import current
from portal.money import digits_of
from portal.periods import Cycle
from portal.timekeeping.flags import IS_FLAGGED

Row = Any
"""A database row: an `asyncpg.Record`, or a mapping with the same keys."""


@dataclass(frozen=True, slots=True)
class Book:
    """What the engine needs to know to bill one customer in one currency.

    The entries in `state` are open: no document has settled them. `exemptions` says why a service is not taxable (D42),
    by the id of the service.
    """

    customer_id: int
    currency: str
    state: BillingState
    rates: RateTable
    exemptions: dict[int, str]

    def only(self, entry_ids: Collection[Key]) -> "Book":
        """Return a copy of the book with only the entries whose ids are in `entry_ids`, and only their approvals."""
        state = self.state
        entries = tuple(entry for entry in state.entries if entry.id in entry_ids)
        approved = {id: price for id, price in state.approved.items() if id in entry_ids}
        return replace(self, state=replace(state, entries=entries, approved=approved))


_CONTRACTS = """
select c.id, c.customer_id, c.name, c.start_on, c.end_on, c.currency, c.cycle, c.anchor, c.vat_rate
from contract c where c.customer_id = any($1) order by c.customer_id, c.id
"""

_SERVICES = """
select s.id, s.contract_id, s.name, s.settlement, s.rollup, s.taxable, s.exemption_reason, s.effective_start
from service s where s.customer_id = any($1) order by s.id
"""

_RATES = """
select id, currency, hourly_rate, effective_from, role_id, agent_id, customer_id, service_id
from rate where customer_id is null or customer_id = any($1)
"""

# The role of an approved entry is the role stored by its approval; of any other, the entry's own role or else the
# agent's present role.
_ENTRIES = f"""
select e.id, e.customer_id, s.contract_id, e.service_id, e.agent_id, g.name as agent_name, r.id as role_id, e.work_date, e.created_at, e.billing,
       e.billable_minutes, e.hourly_rate, e.external_comment, p.id as approval_id, p.hourly_rate as approved_rate,
       p.rate_source, p.rate_id, coalesce(p.role_name, r.name) as role_name, {IS_FLAGGED} as flagged
from time_entry e
join service s on s.id = e.service_id
join agent g on g.id = e.agent_id
left join role r on r.id = coalesce(e.role_id, g.role_id)
left join approval p on p.entry_id = e.id and p.withdrawn_at is null
where e.customer_id = any($1) and e.billing <> 'not_billable' and {{which}}
  and not exists (select 1 from settled_entry d where d.entry_id = e.id)
"""  # noqa: S608
_ALL_APPROVED = _ENTRIES.format(which="(e.state = 'approved' or e.work_date < $2)")

# Entries under time-spent services do not compete for minutes, so further entries are loaded only for services with
# included or prepaid minutes.
_THESE = _ENTRIES.format(
    which="""e.id in (
  select unnest($2::bigint[]) union all
  select o.id from service x join time_entry o on o.customer_id = x.customer_id and o.service_id = x.id
  where x.customer_id = any($1) and x.settlement <> 'time_spent' and o.state = 'approved')"""
)


async def load(customer_ids: Collection[int], *, unapproved_before: date = date.min) -> list[Book]:
    """Return the books of these customers, ordered by customer id and then by currency.

    The books hold every approved entry that no document has settled, and, of the entries that are not approved, those
    of days before `unapproved_before`. Entries that are not billable are not loaded.
    """
    ids = sorted(customer_ids)
    return await _books(ids, await current().fetch(_ALL_APPROVED, ids, unapproved_before))


async def load_these(customer_ids: Collection[int], entry_ids: Collection[int]) -> list[Book]:
    """Return the books with the entries `entry_ids`, approved or not, and those that compete with them for minutes.

    `customer_ids` are the customers of the entries. The competing entries are all approved open entries of these
    customers under services with included or prepaid minutes. Entries under time-spent services compete with no other
    entry, so the others under such services are not loaded.
    """
    ids = sorted(customer_ids)
    return await _books(ids, await current().fetch(_THESE, ids, sorted(entry_ids)))


async def _books(ids: list[int], rows: list[Row]) -> list[Book]:
    fetch = current().fetch
    services = defaultdict(list)
    for row in await fetch(_SERVICES, ids):
        services[row["contract_id"]].append(row)
    contracts: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in await fetch(_CONTRACTS, ids):
        contracts[row["customer_id"], row["currency"]].append(row)
    entries = defaultdict(list)
    for row in rows:
        entries[row["contract_id"]].append(row)
    rates = await fetch(_RATES, ids)
    # Run this in a worker thread, because 10,000 entries would keep other requests waiting.
    return await asyncio.to_thread(_filled, contracts, services, entries, rates)


def _filled(
    contracts: dict[tuple[int, str], list[Row]],
    services: dict[int, list[Row]],
    entries: dict[int, list[Row]],
    rates: list[Row],
) -> list[Book]:
    """Return a book for each customer and currency, sorted by both, from database rows.

    `contracts` holds rows by customer and currency, `services` and `entries` hold rows by contract id, and `rates` holds
    the rates of all these customers.
    """
    return [
        _book(customer_id, currency, mine, services, entries, rates)
        for (customer_id, currency), mine in sorted(contracts.items())
    ]


def _book(
    customer_id: int,
    currency: str,
    contracts: list[Row],
    services: dict[int, list[Row]],
    entries: dict[int, list[Row]],
    rates: list[Row],
) -> Book:
    mine = [row for contract in contracts for row in entries.get(contract["id"], ())]
    return Book(
        customer_id=customer_id,
        currency=currency,
        state=BillingState(
            contracts=tuple(_contract(row, services.get(row["id"], [])) for row in contracts),
            entries=tuple(map(_entry, mine)),
            approved={row["id"]: _price(row) for row in mine if row["approval_id"] is not None},
            flagged=frozenset(row["id"] for row in mine if row["flagged"]),
            digits=digits_of(currency),
        ),
        rates=RateTable(
            _rate(row) for row in rates if row["currency"] == currency and row["customer_id"] in (None, customer_id)
        ),
        exemptions={
            row["id"]: row["exemption_reason"]
            for contract in contracts
            for row in services.get(contract["id"], ())
            if not row["taxable"]
        },
    )


def _contract(row: Row, services: list[Row]) -> ContractTerms:
    return ContractTerms(
        id=row["id"],
        name=row["name"],
        start=row["start_on"],
        end=row["end_on"],
        cycle=Cycle(row["cycle"]),
        anchor=row["anchor"],
        services=tuple(_service(service, row["vat_rate"]) for service in services),
    )


def _service(row: Row, vat_rate: Decimal) -> ServiceTerms:
    exempt = VatRate(VatCategory.EXEMPT, Decimal(0))
    return ServiceTerms(
        id=row["id"],
        name=row["name"],
        settlement=Settlement(row["settlement"]),
        rollup=Rollup(row["rollup"]),
        vat=VatRate(VatCategory.STANDARD, vat_rate) if row["taxable"] else exempt,
        effective_start=row["effective_start"],
    )


def _entry(row: Row) -> Entry:
    return Entry(
        id=row["id"],
        service=row["service_id"],
        agent=row["agent_id"],
        agent_name=row["agent_name"],
        role=row["role_id"] if row["approval_id"] is None else row["role_name"],
        role_name=row["role_name"] or "",
        date=row["work_date"],
        created=row["created_at"],
        billing=EntryBilling(row["billing"]),
        billable_minutes=row["billable_minutes"],
        hourly_rate=row["hourly_rate"],
        external_comment=row["external_comment"],
    )


def _price(row: Row) -> Price | None:
    if row["approved_rate"] is None:
        return None
    return Price(row["approved_rate"], RateSource(row["rate_source"]), row["rate_id"])


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
