"""Sum up all undecided time entries that match a filter, so that a manager can decide on all of them at once.

The result has the version of each entry. The decision is therefore checked entry by entry: entries that changed after
the page was shown are refused, as with ticked rows (D35).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from portal.billing.allocating.book import Row
from portal.billing.deciding.costs import Cost, amounts_of, costs_of
from portal.billing.deciding.oddness import COLUMNS, RULES
from portal.billing.deciding.waiting import WITH, Filters, narrowed
from portal.database import current
from portal.people.readers import AgentReader

MOST = 20_000
"""The maximum number of entries in one decision. If more match, the manager decides on the others afterwards."""
_CODES = tuple(rule.code for rule in RULES)


@dataclass(frozen=True, slots=True)
class Share:
    """The chosen entries of one agent: their number and billable minutes, and what customers would pay, by currency."""

    agent_name: str
    count: int
    minutes: int
    amounts: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Matching:
    """The sums of the entries that match a filter, and how many of them look odd.

    Only the first `MOST` matching entries are examined.

    - `choices`: the chosen entries, as values of tick boxes (`id:version`). They are either all matching entries, or
      only the matching entries that do not look odd.
    - `shares`: the sums of the chosen entries, by agent.
    - `odd`: the number of matching entries that look odd, by the code of the rule in `oddness`.
    - `odd_count`: the number of matching entries that look odd by any rule.
    - `refusals`: the number of chosen entries whose approval would be refused, by the error message.
    - `more`: the number of further matching entries, which were not examined.
    """

    choices: tuple[str, ...]
    shares: list[Share]
    odd: dict[str, int]
    odd_count: int
    refusals: dict[str, int]
    more: int

    @property
    def minutes(self) -> int:
        """Return the billable minutes of the chosen entries."""
        return sum(share.minutes for share in self.shares)

    @property
    def amounts(self) -> dict[str, Decimal]:
        """Return what customers would pay for the chosen entries, by currency."""
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for share in self.shares:
            for currency, amount in share.amounts.items():
                sums[currency] += amount
        return dict(sums)


_ALL = f"""
select e.id, e.version, e.agent_id, g.name as agent_name, e.customer_id, e.billable_minutes, count(*) over () as everything, {COLUMNS}
from time_entry e join agent g on g.id = e.agent_id where {{narrowed}} order by e.work_date, e.id limit {MOST}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class _Costing:
    """The cost of a row, in the form that `amounts_of` adds up."""

    cost: Cost


async def list_matching(by: AgentReader, filters: Filters, *, at: datetime, with_odd: bool = False) -> Matching:
    """Sum up the entries that match the filters and that `by` may decide on at `at`.

    If more than `MOST` entries match, only the entries of the oldest days are examined. Entries that look odd are
    counted, but they are chosen only if `with_odd` is True, because the list also shows them unticked. The cursor in
    `filters` is ignored.
    """
    condition, values = narrowed(by, replace(filters, after=None), at)
    rows = await current().fetch(WITH + _ALL.format(narrowed=condition), *values)
    odd = [row for row in rows if any(row[f"odd_{code}"] is not None for code in _CODES)]
    counts = Counter(code for row in odd for code in _CODES if row[f"odd_{code}"] is not None)
    left_out = set() if with_odd else {row["id"] for row in odd}
    chosen = [row for row in rows if row["id"] not in left_out]
    costs = await costs_of({row["customer_id"] for row in chosen} - {None}, [row["id"] for row in chosen])
    return Matching(
        choices=tuple(f"{row['id']}:{row['version']}" for row in chosen),
        shares=_shares(chosen, costs),
        odd={code: counts[code] for code in _CODES if counts[code]},
        odd_count=len(odd),
        refusals=dict(Counter(cost.refusal for cost in costs.values() if cost.refusal).most_common()),
        more=rows[0]["everything"] - len(rows) if rows else 0,
    )


def _shares(rows: Sequence[Row], costs: dict[int, Cost]) -> list[Share]:
    by_agent: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in rows:
        by_agent[row["agent_name"], row["agent_id"]].append(row)
    return [
        Share(
            name,
            len(group),
            sum(row["billable_minutes"] for row in group),
            amounts_of(_Costing(costs.get(row["id"], Cost())) for row in group),
        )
        for (name, _), group in sorted(by_agent.items())
    ]
