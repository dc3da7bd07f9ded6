"""Cost rates: what an hour of an agent costs the company, from a day until the agent's next rate begins (S2.6, D8)."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Char, Date, Numeric, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.database.rows import one
from portal.database.uniqueness import unless_taken
from portal.fields import Checked, day, in_range
from portal.money import digits_of, parse_money, round_half_up
from portal.people.agents import Agent
from portal.regions import currency

LARGEST = Decimal("99999999.9999")
"""The maximum hourly cost that a `numeric(12,4)` column holds."""

COST_RATE = """
left join lateral (select r.hourly_cost, r.currency as cost_currency from cost_rate r
  where r.agent_id = e.agent_id and r.effective_from <= e.work_date order by r.effective_from desc limit 1) cost on true
"""
"""SQL join that adds to each time entry `e` its agent's cost rate on the work date, for the raw SQL of reports.

The columns are `cost.hourly_cost` and `cost.cost_currency`; both are null if the agent has no rate yet on that day.
Cost follows from the minutes worked, not from the billable minutes.
"""


class CostRateFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a cost rate as typed, not validated yet."""

    hourly_cost: str
    currency: str
    effective_from: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What an hour of an agent costs the company on one day, according to the cost rate in force."""

    hourly_cost: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class ListedCost:
    """A cost rate in the list of an agent's rates. `last_day` is the day before the next rate, or None without one."""

    id: int
    hourly_cost: Decimal
    currency: str
    effective_from: date
    last_day: date | None

    @property
    def is_money(self) -> bool:
        """Return whether the cost has no more decimals than its currency, so that it can be shown as money."""
        return is_money(self.hourly_cost, self.currency)


def is_money(amount: Decimal, currency: str) -> bool:
    """Return whether an amount has no more decimals than its currency."""
    return round_half_up(amount, digits_of(currency)) == amount


class CostRate(Table, tablename="cost_rate"):
    """What an hour of one agent costs the company, from `effective_from` until the agent's next rate begins."""

    id = BigSerial(primary_key=True)
    agent_id = BigInt(default=None)
    hourly_cost = Numeric(digits=(12, 4), default=None)
    currency = Char(length=3, default=None)
    effective_from = Date(default=None)
    created_at = Timestamptz(default=None)

    @classmethod
    async def find(cls, rate: int, *, agent: int) -> "CostRate":
        """Return a cost rate of the agent. Raise `NotFound` if that agent has no such rate."""
        return await one(cls.objects().where((cls.id == in_range(rate)) & (cls.agent_id == in_range(agent))))

    @classmethod
    async def listed(cls, agent_id: int) -> list[ListedCost]:
        """Return the cost rates of an agent, the latest first."""
        rows = await current().fetch(
            "select id, hourly_cost, currency::text, effective_from, lead(effective_from) over (order by effective_from) - 1 as last_day"
            " from cost_rate where agent_id = $1 order by effective_from desc",
            agent_id,
        )
        return [ListedCost(**row) for row in rows]

    @classmethod
    async def on(cls, agent_id: int, day: date) -> Cost | None:
        """Return what an hour of the agent costs on `day`, or None if the agent has no rate in force on that day."""
        row = await current().fetchrow(
            "select hourly_cost, currency::text from cost_rate where agent_id = $1 and effective_from <= $2"
            " order by effective_from desc limit 1",
            agent_id, day,
        )  # fmt: skip
        return Cost(**row) if row else None

    @classmethod
    async def create(cls, agent: Agent, facts: CostRateFacts, at: datetime) -> None:
        """Add a cost rate. Raise `Invalid` for a wrong value, or if a rate of the agent begins on the same day."""
        checked = Checked()
        values: dict[str, Any] = {
            "hourly_cost": checked("hourly_cost", _cost, facts.hourly_cost),
            "currency": checked("currency", currency, facts.currency),
            "effective_from": checked("effective_from", day, facts.effective_from),
        }
        checked.done()
        sentence = f"A cost rate of {agent.name} begins on this day already."
        async with unless_taken("effective_from", sentence):
            await cls.insert(cls(**values, agent_id=agent.id, created_at=at))

    async def withdraw(self) -> None:
        """Delete the rate, so that the previous rate applies again. If it was deleted before, do nothing."""
        await CostRate.delete().where(CostRate.id == self.id)


def _cost(text: str) -> Decimal:
    """Return the hourly cost in `text`: 0 or more, with at most four decimals.

    Raise `ValueError` for other text.
    """
    try:
        return parse_money(text, 4, largest=LARGEST)
    except ValueError as error:
        raise ValueError("Write what an hour costs us, such as 62 or 58.50.") from error
