"""Begin billing runs on a schedule: monthly or weekly, for all customers who are not excluded (S2.43)."""

from datetime import date, datetime, timedelta

from msgspec import Struct
from piccolo.columns import BigInt, Date, SmallInt, Text
from piccolo.table import Table

from portal.billing.documents.invoices import DocumentPage, id_of_cursor
from portal.billing.running.due import company_zone, customers_due
from portal.billing.running.runs import begin, manager_of
from portal.database import current, transaction
from portal.fields import Checked, in_range, one_of, whole
from portal.people.readers import SYSTEM, AgentReader
from portal.periods import today

CYCLES = (("off", "By hand only"), ("monthly", "Every month"), ("weekly", "Every week"))
WEEK_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
OUTCOMES = (("drafts", "Drafts"), ("issue", "Issued invoices"))


class ScheduleFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of the schedule, as typed. `week_day` is 1 for Monday to 7 for Sunday."""

    cycle: str = "off"
    month_day: str = "1"
    week_day: str = "1"
    outcome: str = "drafts"


class BillingSchedule(Table, tablename="billing_schedule"):
    """When billing runs begin by themselves. The table has at most one row; without it, runs begin by hand only.

    `cycle` is a value of `CYCLES`, `outcome` a value of `OUTCOMES`. `month_day` applies to the monthly cycle,
    `week_day` to the weekly cycle. The runs bill in the name of the agent `set_by_id`. `last_day` is the scheduled
    day of the last run, or the day on which the schedule was changed. No run begins for `last_day` or an earlier day.
    """

    id = SmallInt(primary_key=True, default=1)
    cycle = Text(default="off")
    month_day = SmallInt(default=1)
    week_day = SmallInt(default=1)
    outcome = Text(default="drafts")
    set_by_id = BigInt(default=None)
    last_day = Date(default=None)

    @classmethod
    async def find(cls, *, hold: bool = False) -> "BillingSchedule":
        """Return the stored schedule, or a schedule that is off if none is stored.

        With `hold`, lock the table until the transaction ends.
        """
        if hold:  # The whole table is locked, because before the first change there is no row to lock.
            await current().execute("lock table billing_schedule in share row exclusive mode")
        return await cls.objects().first() or cls(set_by_id=0, last_day=date.min)

    @property
    def facts(self) -> ScheduleFacts:
        """Return the schedule as form fields, to fill in the form that edits it."""
        return ScheduleFacts(
            cycle=self.cycle, month_day=str(self.month_day), week_day=str(self.week_day), outcome=self.outcome
        )

    @classmethod
    async def change(cls, facts: ScheduleFacts, *, by: AgentReader, at: datetime) -> None:
        """Replace the schedule. Its runs bill in the name of `by`.

        The first run begins on the first scheduled day after today. Raise `Invalid` for a bad value.
        """
        checked = Checked()
        schedule = cls(
            cycle=checked("cycle", one_of(tuple(name for name, _ in CYCLES)), facts.cycle),
            month_day=checked("month_day", whole(1, 28), facts.month_day),
            week_day=checked("week_day", whole(1, 7), facts.week_day),
            outcome=checked("outcome", one_of(tuple(name for name, _ in OUTCOMES)), facts.outcome),
            set_by_id=by.id,
            last_day=today(await company_zone(), at),
        )
        checked.done()
        await cls.insert(schedule).on_conflict(
            target=cls.id, action="DO UPDATE", values=cls.all_columns(exclude=[cls.id])
        )

    def day_by(self, day: date) -> date | None:
        """Return the last day, up to and including `day`, on which a run begins, or None if the schedule is off."""
        if self.cycle == "weekly":
            return day - timedelta(days=(day.isoweekday() - self.week_day) % 7)
        if self.cycle == "monthly":
            this = day.replace(day=self.month_day)
            return this if this <= day else (this.replace(day=1) - timedelta(days=1)).replace(day=self.month_day)
        return None

    def day_after(self, day: date) -> date | None:
        """Return the first day after `day` on which a run begins, or None if the schedule is off."""
        if self.cycle == "weekly":
            return day + timedelta(days=7 - (day.isoweekday() - self.week_day) % 7)
        if self.cycle == "monthly":
            this = day.replace(day=self.month_day)
            return this if this > day else (this.replace(day=28) + timedelta(days=4)).replace(day=self.month_day)
        return None

    def until(self, day: date) -> date:
        """Return the date up to which the run that begins on `day` bills.

        For a weekly run, this is `day`. For a monthly run, it is the first day of the month of `day`.
        """
        return day if self.cycle == "weekly" else day.replace(day=1)


class UnscheduledCustomer(Table, tablename="unscheduled_customer"):
    """A customer who is excluded from scheduled billing runs."""

    customer_id = BigInt(primary_key=True, default=None)


_LEFT_OUT = """
select * from (
select row_number() over (order by folded(u.name), u.id) as position,
  u.id, u.name
from unscheduled_customer x join customer u on u.id = x.customer_id) d
where $1::bigint is null or position > $1 order by position limit $2
"""


async def left_out(after: str = "", limit: int = 50) -> DocumentPage:
    """Return a page of the customers who are excluded from scheduled billing runs, sorted by name.

    `after` is the cursor: the position of the last row on the previous page, as text.
    """
    rows = await current().fetch(_LEFT_OUT, id_of_cursor(after), limit + 1)
    return DocumentPage.of(rows, key="position", limit=limit)


async def leave_out(customer_id: int) -> None:
    """Exclude a customer from scheduled billing runs. A repeat changes nothing."""
    await current().execute(
        "insert into unscheduled_customer (customer_id) select id from customer where id = $1 on conflict do nothing",
        in_range(customer_id),
    )


async def take_in(customer_id: int) -> None:
    """Include a customer in scheduled billing runs again. A repeat changes nothing."""
    await current().execute("delete from unscheduled_customer where customer_id = $1", in_range(customer_id))


async def begin_scheduled(at: datetime) -> int | None:
    """Begin the scheduled billing run if its day has come in the company's time zone, and return the id of the run.

    The run bills in the name of the agent who set the schedule, and a job carries it out. If several days were missed,
    because no worker ran, one run begins for the last missed day. Return None if no run is due, or if nothing can be
    due for any customer who is not excluded. Return None also if the agent may no longer bill; then the page of the
    schedule shows the message of `stands_still`.
    """
    async with transaction(SYSTEM):
        schedule = await BillingSchedule.find()
        by = await manager_of(schedule.set_by_id) if schedule.set_by_id else None
    if by is None or schedule.cycle == "off":
        return None
    async with transaction(by):
        schedule = await BillingSchedule.find(hold=True)
        day = schedule.day_by(today(await company_zone(), at))
        if day is None or day <= schedule.last_day or schedule.set_by_id != by.id:
            return None
        await BillingSchedule.update({BillingSchedule.last_day: day}).where(BillingSchedule.id == schedule.id)
        without = {row["customer_id"] for row in await current().fetch("select customer_id from unscheduled_customer")}
        customers = [id for id in await customers_due(schedule.until(day)) if id not in without]
        if not customers:
            return None
        return await begin(
            schedule.until(day), customers, by=by, at=at, issues=schedule.outcome == "issue", scheduled=True
        )


async def stands_still(schedule: BillingSchedule) -> str:
    """Return an error message if no run begins because the agent who set the schedule may no longer bill, else ""."""
    if schedule.cycle == "off" or await manager_of(schedule.set_by_id):
        return ""
    return "No run begins, because whoever set the schedule may not bill any more. Save it again."
