"""Rates: hourly prices. Each has a scope, and is valid from a day until the next rate of the same scope (D17, D18)."""

from datetime import date, datetime
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
from portal.contracts.terms import LARGEST_RATE
from portal.database import current, transaction
from portal.database.rows import one
from portal.database.uniqueness import unless_taken
from portal.errors import Conflict
from portal.fields import Checked, day, identifier, in_range, optional
from portal.money import parse_money
from portal.people.agents import Agent
from portal.people.customers import Customer
from portal.people.readers import SYSTEM
from portal.people.roles import Role
from portal.regions import currency

SAME = "Such a rate begins on this day already."


class RateFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a rate as typed.

    The ids that are not empty are the scope of the rate, which must be one of these: service and agent; service and
    role; service; customer and role; customer; role. `effective_from` is the first day of the rate.
    """

    hourly_rate: str
    currency: str
    effective_from: str
    role_id: str = ""
    agent_id: str = ""
    customer_id: str = ""
    service_id: str = ""


class RoleFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a new billing role and of its first hourly rate, as typed.

    The rate is in the company's currency and begins on the day `effective_from`. The rate is optional, because it can
    be added later.
    """

    name: str
    hourly_rate: str = ""
    effective_from: str = ""


class Rate(Table, tablename="rate"):
    """An hourly price for one scope, in force from the day `effective_from`.

    `role_id`, `agent_id`, `customer_id` and `service_id` are the scope; a column that is None does not limit it. An
    approval of time stores the hourly rate that it used, so a new rate affects later approvals only (C12).
    """

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
        """Return the rate with the id `rate`. Raise `NotFound` for an unknown id."""
        return await one(cls.objects().where(cls.id == in_range(rate)))

    @classmethod
    async def listed(cls) -> list[Any]:
        """Return a database row for each rate, the most general scopes first.

        Columns: id, hourly_rate, is_money (whether the rate has no more decimals than its currency), currency,
        effective_from, last_day (the day before the next rate of the same scope, or None), and the names of the scope:
        role, agent, customer and service, each None if the scope does not have it.
        """
        return await current().fetch(LISTED)

    @classmethod
    async def create(cls, facts: RateFacts, at: datetime) -> "Rate":
        """Add a rate and return it.

        A rate for a service gets the service's customer. Raise `Invalid` for a bad field, or if a rate of the same scope
        and currency begins on the same day; `NotFound` for an id that does not exist.
        """
        values = await _read(facts)
        async with unless_taken("effective_from", SAME):
            [rate] = await cls.insert(cls(**values, created_at=at))
        return await cls.find(rate["id"])

    async def withdraw(self) -> None:
        """Delete the rate. Do nothing if it was deleted before.

        Raise `Conflict` if time was approved at this rate (D17).
        """
        try:
            async with transaction(current().reader):
                await Rate.delete().where(Rate.id == self.id)
        except asyncpg.ForeignKeyViolationError as error:
            raise Conflict(
                "Time was approved at this rate, so it stays. Add one that begins on a later day."
            ) from error


async def role_priced_first(contract: Contract, on: date) -> int | None:
    """Return the id of the first role, by name, that has a rate on the day `on` for all services of the contract.

    The rate is in the currency of the contract, and is for the contract's customer or for any customer. Return None if
    there is no such role.
    """
    found: int | None = await current().fetchval(
        "select r.id from role r where exists (select from rate t where t.role_id = r.id and t.service_id is null and t.currency = $1"
        " and t.effective_from <= $2 and coalesce(t.customer_id, $3) = $3) order by folded(r.name), r.id limit 1",
        contract.currency, on, contract.customer_id,
    )  # fmt: skip
    return found


async def create_role(facts: RoleFacts, at: datetime) -> Role:
    """Add a billing role and, if an hourly rate is given, its first rate. Return the role.

    With an hourly rate, `effective_from` is required. Raise `Invalid` for a bad field or a name that is taken, and
    `Conflict` if an hourly rate is given before the company has been set up.
    """
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
       lead(r.effective_from) over (partition by r.currency, r.role_id, r.agent_id, r.customer_id, r.service_id order by r.effective_from) - 1
         as last_day
from rate r
left join role o on o.id = r.role_id left join agent a on a.id = r.agent_id
left join customer u on u.id = r.customer_id left join service s on s.id = r.service_id
order by folded(u.name) nulls first, folded(s.name) nulls first, folded(o.name) nulls first,
  folded(a.name) nulls first, r.currency, r.effective_from desc
"""  # noqa: S608


def hourly_rate(text: str) -> Decimal:
    """Return the hourly rate in `text`: 0 or more, with at most four decimals. Raise `ValueError` for other text."""
    try:
        return parse_money(text, 4, largest=LARGEST_RATE)
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
    """Set `customer_id` in `values`, the column values of a rate for a service, to the customer of the service.

    Add an error to `checked` if `values` have another customer than the service, or another currency than its contract.
    Raise `NotFound` for an unknown service.
    """
    service = await Service.find(values["service_id"], SYSTEM)
    contract = await Contract.find(service.contract_id, SYSTEM)
    if values["customer_id"] not in (None, service.customer_id):
        checked.refuse("service_id", "This service belongs to another customer.")
    if values["currency"] != contract.currency:
        checked.refuse("currency", f"This service is billed in {contract.currency}.")
    values["customer_id"] = service.customer_id
