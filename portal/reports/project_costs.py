"""Compute what the time on projects costs the company, from the agents' cost rates on the days of the work (S2.6)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from portal.database import current
from portal.errors import Forbidden
from portal.people.readers import AgentReader
from portal.people.working.costs import COST_RATE
from portal.timekeeping.entries import VISIBLE


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of the time worked on a project, by currency; amounts are not converted.

    `unpriced` are the minutes for which the agent had no cost rate on the day of the work; no amount includes them.
    """

    amounts: dict[str, Decimal] = field(default_factory=dict)
    unpriced: int = 0

    def left_of(self, budget: Decimal | None, currency: str) -> Decimal | None:
        """Return what is left of a budget in `currency` after the cost, negative if the cost is higher.

        Return None if there is no budget, or if a part of the cost is unknown or in another currency.
        """
        if budget is None or self.unpriced or self.amounts.keys() - {currency}:
            return None
        return budget - self.amounts.get(currency, Decimal(0))

    def margin(self, charged: Decimal, currency: str) -> Decimal | None:
        """Return what is left of the amount `charged` in `currency` after the cost, negative if the cost is higher.

        Return None if a part of the cost is unknown or in another currency.
        """
        return (
            None
            if self.unpriced or self.amounts.keys() - {currency}
            else charged - self.amounts.get(currency, Decimal(0))
        )


# Cost follows from the minutes worked, not from what is billed (D8), and is rounded for each entry.
_AMOUNT = "round(e.actual_minutes * cost.hourly_cost / 60, currency_digits(cost.cost_currency))"
_COSTS = f"""
select {{project}} as project_id, cost.cost_currency::text as currency, sum({_AMOUNT}) as amount, sum(e.actual_minutes)::int as minutes
from time_entry e {{join}} {COST_RATE}
where {{visible}} and {{project}} = any($1) and e.state <> 'rejected'
group by 1, 2 order by 1, 2
"""


async def costs_of_projects(reader: AgentReader, ids: Sequence[int]) -> dict[int, Cost]:
    """Return the cost of the time logged on each project, by project id. Rejected time is left out.

    Raise `Forbidden` if the reader is not a manager, because cost rates reveal what colleagues earn.
    """
    return await _costs(reader, ids, project="e.project_id", join="")


async def costs_of_cases(reader: AgentReader, project_id: int) -> Cost:
    """Return the cost of the time logged on the cases that are connected to the project. Rejected time is left out.

    Raise `Forbidden` if the reader is not a manager.
    """
    found = await _costs(reader, [project_id], project="c.project_id", join="join cases c on c.id = e.case_id")
    return found[project_id]


async def _costs(reader: AgentReader, ids: Sequence[int], *, project: str, join: str) -> dict[int, Cost]:
    if not reader.is_manager:
        raise Forbidden("Only managers see what work costs us.")
    sql = _COSTS.format(project=project, join=join, visible=VISIBLE[reader.database_role])
    rows = await current().fetch(sql, list(ids))
    return {
        id: Cost(
            {row["currency"]: row["amount"] for row in rows if row["project_id"] == id and row["currency"]},
            sum(row["minutes"] for row in rows if row["project_id"] == id and not row["currency"]),
        )
        for id in ids
    }
