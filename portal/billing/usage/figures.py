"""Compute the figures of services: time and revenue that are billed, billed last, and not billed yet (S4.20 to S4.25).

All figures are sums of allocations of approved entries, so the total is always billed plus unbilled (C6). When a
document settles an allocation, the allocation moves from unbilled to billed. When a credit note makes the time billable
again, the allocation moves back to unbilled (S4.26, S4.27). Fees and sold vouchers do not come from entries, so they
are not part of these figures.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import reduce

from portal.database import current

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Sum:
    """Minutes of approved time, whatever pays for them, and the amount that is charged for them."""

    minutes: int = 0
    amount: Decimal = ZERO

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.minutes + other.minutes, self.amount + other.amount)


NOTHING = Sum()


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a service, or of all services of a contract, in the currency of the contract.

    `billed` is what drafts, invoices and statements settle now. `last` is the part of `billed` that the latest billing
    run settled. `unbilled` is what no document settles yet. `last_run` is the id of the latest run, `last_until` its
    date and `last_run_at` its instant; all three are None if nothing is billed. `held` are the unbilled minutes that
    are charged only after a decision.
    """

    billed: Sum = NOTHING
    last: Sum = NOTHING
    unbilled: Sum = NOTHING
    held: int = 0
    last_run: int | None = None
    last_until: date | None = None
    last_run_at: datetime | None = None

    @property
    def total(self) -> Sum:
        """Return the sum of what is billed and unbilled (C6)."""
        return self.billed + self.unbilled

    def __add__(self, other: "Figures") -> "Figures":
        """Return the sum of both figures, except that `last` counts only the later of the two latest runs."""
        earlier, later = sorted((self, other), key=lambda one: one.last_run or 0)
        same = earlier.last_run == later.last_run
        return Figures(
            self.billed + other.billed,
            later.last + earlier.last if same else later.last,
            self.unbilled + other.unbilled,
            self.held + other.held,
            later.last_run,
            later.last_until,
            later.last_run_at,
        )


_FIGURES = """
with piece as materialized (
  select e.service_id, a.kind, a.minutes, case a.kind when 'charged' then a.amount else 0 end as amount, coalesce(i.run_id, t.run_id) as run_id
  from time_entry e join allocation a on a.entry_id = e.id
  left join settled_entry d on d.entry_id = a.entry_id and d.part = a.part
  left join invoice i on i.id = d.invoice_id left join statement t on t.id = d.statement_id
  where e.service_id = any($1)
), latest as (select service_id, max(run_id) as run_id from piece group by 1)
select p.service_id, l.run_id, r.until, r.run_at,
  coalesce(sum(p.minutes) filter (where p.run_id is not null), 0)::int as billed_minutes,
  coalesce(sum(p.amount) filter (where p.run_id is not null), 0) as billed_amount,
  coalesce(sum(p.minutes) filter (where p.run_id = l.run_id), 0)::int as last_minutes,
  coalesce(sum(p.amount) filter (where p.run_id = l.run_id), 0) as last_amount,
  coalesce(sum(p.minutes) filter (where p.run_id is null), 0)::int as unbilled_minutes,
  coalesce(sum(p.amount) filter (where p.run_id is null), 0) as unbilled_amount,
  coalesce(sum(p.minutes) filter (where p.run_id is null and p.kind = 'held'), 0)::int as held
from piece p join latest l on l.service_id = p.service_id left join billing_run r on r.id = l.run_id
group by 1, 2, 3, 4
"""


async def figures_of(service_ids: Collection[int]) -> dict[int, Figures]:
    """Return the figures of each of these services by service id. A service without approved time has zeros."""
    rows = await current().fetch(_FIGURES, list(service_ids))
    found = {
        row["service_id"]: Figures(
            Sum(row["billed_minutes"], row["billed_amount"]),
            Sum(row["last_minutes"], row["last_amount"]),
            Sum(row["unbilled_minutes"], row["unbilled_amount"]),
            row["held"], row["run_id"], row["until"], row["run_at"],
        )
        for row in rows
    }  # fmt: skip
    return {id: found.get(id, Figures()) for id in service_ids}


def added(figures: Iterable[Figures]) -> Figures:
    """Return the sum of the figures of several services of one contract; zeros if there is no service."""
    return reduce(Figures.__add__, figures, Figures())
