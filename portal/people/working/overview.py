"""The summary on an agent's set-up page: working hours, the present or next absence, and the cost of an hour."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from portal.database import current
from portal.people.working.costs import is_money
from portal.people.working.hours import HOURS, Hours, Week


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """An agent's working hours, present or next absence, and cost of an hour, as they are on one day.

    `away_from` and `away_to` are the first and last day of the absence; they are None if there is none. `hourly_cost`
    and `currency` are None if no cost rate is in force yet.
    """

    week: Week
    away_from: date | None
    away_to: date | None
    hourly_cost: Decimal | None
    currency: str | None

    @property
    def is_money(self) -> bool:
        """Return whether the cost of an hour has no more decimals than its currency."""
        return bool(self.hourly_cost is not None and self.currency and is_money(self.hourly_cost, self.currency))


_SUMMARY = f"""
select {HOURS} as hours,
  b.first_day as away_from, b.last_day as away_to, r.hourly_cost, r.currency::text
from (select) as one
left join lateral (select first_day, last_day from absence where agent_id = $1 and last_day >= $2 order by first_day limit 1) b on true
left join lateral (select hourly_cost, currency from cost_rate where agent_id = $1 and effective_from <= $2
  order by effective_from desc limit 1) r on true
"""  # noqa: S608


async def working_time(agent_id: int, day: date) -> WorkingTime:
    """Return the agent's working hours and cost of an hour on `day`, and the first absence that ends on `day` or later."""
    row = dict(await current().fetchrow(_SUMMARY, agent_id, day))
    return WorkingTime(week=Hours.read(row.pop("hours")).week(day), **row)
