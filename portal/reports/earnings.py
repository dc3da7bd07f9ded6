"""Compute revenue and profit by customer, contract, service, settlement or month, in a range of days (S3.27, S3.28).

Revenue is the sum of the invoices issued on these days, less the sum of the credit notes of these days, both without
VAT. Cost is the time worked on these days at the cost rates of the agents; time that is not billed counts too (D8).
Revenue and cost are computed from documents and time entries whenever a page shows them, so no stored sum can become
wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from portal.billing import PLACE, Place, cells
from portal.database import current
from portal.errors import Forbidden
from portal.exports import Cell, Column, Kind, Sheet
from portal.people.readers import AgentReader
from portal.people.working.costs import COST_RATE
from portal.words import Settlement

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Earned:
    """Revenue without VAT in one currency, and what the work cost.

    `time`, `fees`, `vouchers` and `other` are the amounts that invoices charge, by the kind of invoice line. `credited`
    is the amount of the credit notes. `worked` are the minutes of work, and `costs` the cost by currency. `unpriced`
    are the minutes whose cost is unknown, because the agent had no cost rate.
    """

    time: Decimal = ZERO
    fees: Decimal = ZERO
    vouchers: Decimal = ZERO
    other: Decimal = ZERO
    credited: Decimal = ZERO
    worked: int = 0
    costs: Mapping[str, Decimal] = field(default_factory=dict)
    unpriced: int = 0

    @property
    def revenue(self) -> Decimal:
        """Return what is charged, less what is credited."""
        return self.time + self.fees + self.vouchers + self.other - self.credited

    def profit(self, currency: str) -> Decimal | None:
        """Return the revenue less the cost in `currency`; a loss is negative.

        Return None if a part of the cost is unknown or in another currency, because amounts are not converted.
        """
        if self.unpriced or self.costs.keys() - {currency}:
            return None
        return self.revenue - self.costs.get(currency, ZERO)

    def margin(self, currency: str) -> int | None:
        """Return the profit in whole per cent of the revenue, rounded half up.

        Return None if the profit is unknown or the revenue is not positive.
        """
        profit = self.profit(currency)
        if profit is None or self.revenue <= 0:
            return None
        return int((profit * 200 + self.revenue) // (self.revenue * 2))

    def __add__(self, other: "Earned") -> "Earned":
        costs = {
            one: self.costs.get(one, ZERO) + other.costs.get(one, ZERO) for one in sorted({*self.costs, *other.costs})
        }
        return Earned(
            self.time + other.time, self.fees + other.fees, self.vouchers + other.vouchers, self.other + other.other,
            self.credited + other.credited, self.worked + other.worked, costs, self.unpriced + other.unpriced,
        )  # fmt: skip


# An invoice line that is not for time, a fee or a voucher may have no service. Time without a service has no contract.
_SUMS = f"""
with sums as (
  select i.customer_id, i.contract_id, l.service_id, date_trunc('month', i.issue_date)::date as month, l.kind, i.currency::text, sum(l.net) as amount,
    0 as minutes
  from invoice i join invoice_line l on l.invoice_id = i.id
  where i.state = 'issued' and i.issue_date >= $1 and i.issue_date < $2 group by 1, 2, 3, 4, 5, 6
  union all
  select n.customer_id, i.contract_id, l.service_id, date_trunc('month', n.issue_date)::date, 'credited', n.currency::text, sum(c.net), 0
  from credit_note n join credit_line c on c.credit_note_id = n.id join invoice i on i.id = n.invoice_id
  left join invoice_line l on l.invoice_id = c.invoice_id and l.position = c.line_position
  where n.issue_date >= $1 and n.issue_date < $2 and c.net <> 0 group by 1, 2, 3, 4, 5, 6
  union all
  select e.customer_id, s.contract_id, e.service_id, date_trunc('month', e.work_date)::date, 'worked', cost.cost_currency::text,
    sum(round(e.actual_minutes * cost.hourly_cost / 60, currency_digits(cost.cost_currency))), sum(e.actual_minutes)::int
  from time_entry e left join service s on s.id = e.service_id {COST_RATE}
  where e.customer_id is not null and e.state <> 'rejected' and e.work_date >= $1 and e.work_date < $2 group by 1, 2, 3, 4, 5, 6
)
select x.customer_id, u.name as customer, x.contract_id, coalesce(k.name, '') as contract, x.service_id, coalesce(s.name, '') as service,
  s.settlement, x.month, x.kind, x.currency as own_currency, x.amount, x.minutes,
  coalesce(k.currency, (select d.currency from contract d where d.customer_id = u.id order by d.id limit 1), x.currency, '')::text as currency
from sums x join customer u on u.id = x.customer_id left join service s on s.id = x.service_id left join contract k on k.id = x.contract_id
order by currency, folded(u.name), u.id, folded(k.name), k.id, folded(s.name), s.id, x.month
"""

_FIELDS = {"time": "time", "fee": "fees", "voucher": "vouchers", "credited": "credited"}


async def earned(
    reader: AgentReader, since: date, until: date, *, customer: int | None = None
) -> list[tuple[Place, Earned]]:
    """Return revenue and cost of the days from `since` to `until`, both included, for each service and month.

    An item is a place (the customer, contract, service and month) and what was earned or spent there. The same place
    can have several items: one for each kind of invoice line and for each currency of the cost. The function `grouped`
    adds them up. The items are sorted by currency, by the names of customer, contract and service, and by month.
    `customer` is the id of the only customer to include, or None. General time, which has no customer, and rejected
    time are left out. Raise `Forbidden` if the reader is not a manager.
    """
    if not reader.is_manager:
        raise Forbidden("Only managers see revenue and profit.")
    last = min(until, date.max - timedelta(days=1)) + timedelta(days=1)
    rows = await current().fetch(_SUMS, since, last)
    return [(_place(row), _earned(row)) for row in rows if customer in (None, row["customer_id"])]


def _place(row: Mapping[str, Any]) -> Place:
    names = ("currency", "customer_id", "customer", "contract_id", "contract", "service_id", "service", "month")
    settlement = Settlement(row["settlement"]) if row["settlement"] else None
    return Place(**{name: row[name] for name in names}, settlement=settlement)


def _earned(row: Mapping[str, Any]) -> Earned:
    if row["kind"] != "worked":
        return Earned(**{_FIELDS.get(str(row["kind"]), "other"): row["amount"]})
    if row["own_currency"] is None:
        return Earned(worked=row["minutes"], unpriced=row["minutes"])
    return Earned(worked=row["minutes"], costs={row["own_currency"]: row["amount"]})


COLUMNS = (
    *PLACE,
    *(Column(name, Kind.MONEY) for name in ("Time", "Fees", "Vouchers", "Other lines", "Credited", "Revenue")),
    Column("Minutes worked", Kind.MINUTES),
    Column("Minutes without a cost rate", Kind.MINUTES),
    Column("Cost", Kind.MONEY),
    Column("Cost in other currencies"),
    Column("Profit", Kind.MONEY),
)


def sheet(rows: Mapping[Place, Earned]) -> Sheet:
    """Return a sheet of `rows`, the result of `grouped`: one row for each place, with its revenue, cost and profit.

    A place names customer, contract, service, settlement and month, as far as they apply.
    """
    return Sheet("Revenue and profit", COLUMNS, ((*cells(place), *_cells(place, it)) for place, it in rows.items()))


def _cells(place: Place, it: Earned) -> tuple[Cell, ...]:
    others = ", ".join(f"{amount} {currency}" for currency, amount in it.costs.items() if currency != place.currency)
    return (
        it.time, it.fees, it.vouchers, it.other, it.credited, it.revenue, it.worked, it.unpriced,
        it.costs.get(place.currency, ZERO), others, it.profit(place.currency),
    )  # fmt: skip


async def record_download(reader: AgentReader) -> None:
    """Record in the audit log that the reader downloaded revenue and profit as a CSV file (R89)."""
    await current().execute("select record_export('earnings', $1, 'csv')", reader.id)
