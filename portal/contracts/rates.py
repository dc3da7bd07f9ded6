"""Rates: hourly prices by scope, each from a date on until the next of its scope (D17, D18)."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg
from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Char, Date, Numeric, Timestamptz
from piccolo.table import Table

from portal.contracts.company import Company
from portal.contracts.contracts import Contract
from portal.contracts.naming import shown_service
from portal.contracts.services import Service
from portal.database import current, transaction
from portal.database.uniqueness import unless_taken
from portal.errors import Conflict, NotFound
from portal.fields import Checked, day, identifier, in_range, optional
from portal.money import parse_money
from portal.people.agents import Agent
from portal.people.customers import Customer
from portal.people.readers import SYSTEM
from portal.people.roles import Role
from portal.regions import currency

LARGEST = Decimal("99999999.9999")
"""The largest hourly rate that numeric(12,4) holds."""

SAME = "There is a rate for the same from this day already."


class RateFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """A rate as typed. Its scope is one of: service and agent, service and role, service, customer and role, customer, role."""

    hourly_rate: str
    currency: str
    effective_from: str
    role_id: str = ""
    agent_id: str = ""
    customer_id: str = ""
    service_id: str = ""


class RoleFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """A new role together with its hourly rate, which is in the company's currency; both may be given later where they are empty."""

    name: str
    hourly_rate: str = ""
    effective_from: str = ""


class Rate(Table, tablename="rate"):
    """An hourly price. Changing one touches later approvals only: what is approved has its rate with it (C12)."""

    id = BigSerial(primary_key=True)
    currency = Char(length=3, default=None)
    hourly_rate = Numeric(digits=(12, 4), default=None)
    effective_from = Date(default=None)
    role_id = BigInt(null=True, default=None)
    agent_id = BigInt(null=True, default=None)
    customer_id = BigInt(null=True, default=None)
    service_id = BigInt(null=True, default=None)
    created_at = Timestamptz(default=None)

    @classmethod
    async def find(cls, rate: int) -> "Rate":
        """Raises `NotFound`."""
        found = await cls.objects().get(cls.id == in_range(rate))
        if found is None:
            raise NotFound
        return found

    @classmethod
    async def listed(cls) -> list[Any]:
        """Return all rates as rows: id, hourly_rate, is_money, currency, effective_from, until, role, agent, customer, service.

        `is_money` is true where the rate has no more decimals than its currency. `until` is the day on which the next rate of the same
        scope begins, or None.
        """
        return await current().fetch(LISTED)

    @classmethod
    async def create(cls, facts: RateFacts, at: datetime) -> "Rate":
        """A new rate. Raises `Invalid`, also for two of one scope and date; `NotFound` for ids that are not there."""
        values = await _read(facts)
        async with unless_taken("effective_from", SAME) as tx:
            rate = await tx.fetchval(
                "insert into rate (hourly_rate, currency, effective_from, role_id, agent_id, customer_id, service_id, created_at)"
                " values ($1, $2, $3, $4, $5, $6, $7, $8) returning id",
                *values.values(), at,
            )  # fmt: skip
        return await cls.find(rate)

    async def withdraw(self) -> None:
        """Take it off the list. Repeating it changes nothing. Raises `Conflict` where time was approved at it: that names it as its source (D17)."""
        try:
            async with transaction(current().reader) as tx:
                await tx.execute("delete from rate where id = $1", self.id)
        except asyncpg.ForeignKeyViolationError as error:
            raise Conflict(
                "Time was approved at this rate, so it stays. Add one that begins on a later day."
            ) from error


async def create_role(facts: RoleFacts, at: datetime) -> Role:
    """A new role, and its rate if one is given: `effective_from` is then needed. Raises `Invalid`."""
    role = await Role.create(facts.name)
    if facts.hourly_rate.strip():
        company = await Company.needed()
        await Rate.create(
            RateFacts(
                hourly_rate=facts.hourly_rate,
                currency=company.currency,
                effective_from=facts.effective_from,
                role_id=str(role.id),
            ),
            at,
        )
    return role


LISTED = f"""
select r.id, r.hourly_rate, is_money(r.hourly_rate, r.currency) as is_money, r.currency, r.effective_from,
       o.name as role, a.name as agent, u.name as customer, {shown_service("r.service_id")} as service,
       lead(r.effective_from) over (partition by r.currency, r.role_id, r.agent_id, r.customer_id, r.service_id order by r.effective_from) as until
from rate r
left join role o on o.id = r.role_id left join agent a on a.id = r.agent_id
left join customer u on u.id = r.customer_id left join service s on s.id = r.service_id
order by folded(u.name) nulls first, folded(s.name) nulls first, folded(o.name) nulls first,
  folded(a.name) nulls first, r.currency, r.effective_from desc
"""  # noqa: S608


def hourly_rate(text: str) -> Decimal:
    """What an hour costs, with at most 4 decimals; 0 is a rate too."""
    try:
        return parse_money(text, 4, largest=LARGEST)
    except ValueError as error:
        raise ValueError("Write what an hour costs, such as 120 or 98.50.") from error


async def _read(facts: RateFacts) -> dict[str, Any]:
    checked = Checked()
    values: dict[str, Any] = {
        "hourly_rate": checked("hourly_rate", hourly_rate, facts.hourly_rate),
        "currency": checked("currency", currency, facts.currency),
        "effective_from": checked("effective_from", day, facts.effective_from),
        "role_id": checked("role_id", optional(identifier), facts.role_id),
        "agent_id": checked("agent_id", optional(identifier), facts.agent_id),
        "customer_id": checked("customer_id", optional(identifier), facts.customer_id),
        "service_id": checked("service_id", optional(identifier), facts.service_id),
    }
    role, agent, customer, service = (values[name] for name in ("role_id", "agent_id", "customer_id", "service_id"))
    if not (role or agent or customer or service):
        checked.refuse("role_id", "Choose a role, a customer or a service: a rate has to be for something.")
    if agent and not service:
        checked.refuse("service_id", "A rate for one agent needs the service that it holds in.")
    if agent and role:
        checked.refuse("agent_id", "Choose a role or an agent, not both.")
    checked.done()
    if role:
        await Role.find(role)
    if agent:
        await Agent.find(agent)
    if customer:
        await Customer.find(customer, SYSTEM)
    if service:
        await _of_service(checked, values)
        checked.done()
    return values


async def _of_service(checked: Checked, values: dict[str, Any]) -> None:
    """A rate of a service is its customer's, in its contract's currency."""
    service = await Service.find(values["service_id"], SYSTEM)
    contract = await Contract.find(service.contract_id, SYSTEM)
    if values["customer_id"] not in (None, service.customer_id):
        checked.refuse("service_id", "This service belongs to another customer.")
    if values["currency"] != contract.currency:
        checked.refuse("currency", f"This service is billed in {contract.currency}.")
    values["customer_id"] = service.customer_id
