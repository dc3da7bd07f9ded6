"""Read the work of a customer in a past year, and what was really billed for it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from portal.billing.allocating import book
from portal.billing.engine import Entry, EntryBilling, RateTable, ServiceTerms
from portal.billing.trying.offers import Worked
from portal.database import current
from portal.desk.deadlines.business_hours import Calendar
from portal.desk.deadlines.calendars import HOURS
from portal.money import digits_of
from portal.periods import Period
from portal.schedules import read

MONTHS = 12


@dataclass(frozen=True, slots=True)
class Real:
    """What was really worked and charged.

    - `minutes`: the approved minutes.
    - `billed`: the amount of the approved time that documents have billed.
    - `unbilled`: the amount of the approved time that is not billed yet.
    - `fees`: the amount that invoices and drafts charge for fees and vouchers, less what credit notes credit.
    """

    minutes: int = 0
    billed: Decimal = Decimal(0)
    unbilled: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)

    @property
    def amount(self) -> Decimal:
        """Return the total charged: billed and unbilled time, plus `fees`, which includes vouchers."""
        return self.billed + self.unbilled + self.fees

    def __add__(self, other: "Real") -> "Real":
        return Real(
            self.minutes + other.minutes,
            self.billed + other.billed,
            self.unbilled + other.unbilled,
            self.fees + other.fees,
        )


@dataclass(frozen=True, slots=True)
class History:
    """The approved time under some services of one customer in one currency, and what it really cost by month.

    `active` runs from the first to the last day on which any of the contracts was in force in the year. `real` maps the
    first day of a month to what this month really cost. `zone` is the company's time zone, and `days_off` are the days
    off of its calendar, for terms that depend on the hour of the work.
    """

    currency: str
    active: Period
    services: tuple[ServiceTerms, ...]
    rates: RateTable
    worked: tuple[Worked, ...]
    real: dict[date, Real]
    zone: str = "UTC"
    days_off: frozenset[date] = frozenset()

    @property
    def digits(self) -> int:
        """Return the number of decimals of the currency."""
        return digits_of(self.currency)

    @property
    def months(self) -> list[date]:
        """Return the first day of each month of `active`, in order."""
        found, first = list[date](), self.active.start.replace(day=1)
        while self.active.end is not None and first < self.active.end:
            found.append(first)
            first = month_after(first)
        return found


def month_after(first: date) -> date:
    """Return the first day of the next month. `first` is the first day of a month."""
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def last_year(today: date) -> Period:
    """Return the last twelve whole months before the month of `today`."""
    end = today.replace(day=1)
    return Period(end.replace(year=end.year - 1), end)


_WORKED = """
select e.id, e.service_id, e.agent_id, g.name as agent_name, coalesce(e.role_id, g.role_id) as role_id, e.work_date, e.created_at, e.billing,
       e.actual_minutes, e.billable_minutes, e.override_reason is not null as is_override, e.hourly_rate, p.fixed_fee,
       e.started_at, case when e.stretches like '%@%' then e.stretches end as prices
from time_entry e join agent g on g.id = e.agent_id left join approval p on p.entry_id = e.id and p.withdrawn_at is null
where e.customer_id = $1 and e.service_id = any($2) and e.work_date >= $3 and e.work_date < $4 and e.state = 'approved'
  and e.billing <> 'not_billable'
"""
_REAL_TIME = """
select date_trunc('month', e.work_date)::date as month, sum(a.minutes)::int as minutes,
       coalesce(sum(a.amount) filter (where a.kind = 'charged' and d.entry_id is not null), 0) as billed,
       coalesce(sum(a.amount) filter (where a.kind = 'charged' and d.entry_id is null), 0) as unbilled
from time_entry e join allocation a on a.entry_id = e.id
left join settled_entry d on d.entry_id = a.entry_id and d.part = a.part
where e.customer_id = $1 and e.service_id = any($2) and e.work_date >= $3 and e.work_date < $4
group by 1
"""
_REAL_FEES = """
select date_trunc('month', greatest(coalesce(l.period_start, v.sold_on), $3))::date as month, sum(l.net - coalesce((
    select sum(c.net) from credit_line c where c.invoice_id = l.invoice_id and c.line_position = l.position), 0)) as fees
from invoice_line l join invoice i on i.id = l.invoice_id left join voucher v on v.id = l.voucher_id
where l.customer_id = $1 and i.contract_id = any($2) and l.kind in ('fee', 'voucher')
  and coalesce(l.period_start, v.sold_on) < $4
  and case l.kind when 'fee' then l.active_from >= $3 else v.sold_on >= $3 end
group by 1
"""


async def history_of(customer_id: int, contracts: Collection[int], year: Period) -> History | None:
    """Return the history of these contracts of a customer in the days of `year`, read by several queries.

    All contracts must have the same currency. Return None if none of them was in force in these days.
    """
    wanted = [each for each in await book.load_terms(customer_id) if each[0].id in set(contracts)]
    in_force = [active for terms, _ in wanted if (active := Period(terms.start, terms.end).within(year)) is not None]
    if not in_force or year.end is None:
        return None
    currency = wanted[0][1]
    services = tuple(service for terms, _ in wanted for service in terms.services)
    active = Period(min(period.start for period in in_force), max(period.end or year.end for period in in_force))
    rates = await book.load_rates(customer_id, currency)
    days, ids = (active.start, active.end), [int(service.id) for service in services]
    rows = await current().fetch(_WORKED, customer_id, ids, *days)
    time = await current().fetch(_REAL_TIME, customer_id, ids, *days)
    fees = await current().fetch(_REAL_FEES, customer_id, [int(terms.id) for terms, _ in wanted], *days)
    real = {row["month"]: Real(row["minutes"], row["billed"], row["unbilled"]) for row in time}
    for row in fees:
        real[row["month"]] = real.get(row["month"], Real()) + Real(fees=row["fees"])
    company = await current().fetchrow(f"select (select time_zone from company) as zone, {HOURS} as calendar")  # noqa: S608
    days_off = Calendar.read(company["calendar"]).hours.days_off(active.start)
    zone = company["zone"] or "UTC"
    return History(currency, active, services, rates, tuple(map(_worked, rows)), real, zone, days_off)


def _worked(row: book.Row) -> Worked:
    entry = Entry(
        id=row["id"],
        service=row["service_id"],
        agent=row["agent_id"],
        agent_name=row["agent_name"],
        role=row["role_id"],
        role_name="",
        date=row["work_date"],
        created=row["created_at"],
        billing=EntryBilling(row["billing"]),
        billable_minutes=row["billable_minutes"],
        hourly_rate=row["hourly_rate"],
        fixed_fee=row["fixed_fee"],
        is_override=row["is_override"],
        stretches=read(row["prices"] or ""),
    )
    return Worked(entry, row["actual_minutes"], row["started_at"])
