"""Plan the billing of the demo: one billing run a month. Last month is billed for two customers only so far."""

from datetime import date, datetime, timedelta
from functools import partial

from portal import billing
from portal.demo.stage import Stage

DONE_FIRST = ("Globex", "Rovana Bikes")
"""The customers for whom last month is billed already.

Globex has a draft invoice, the trial customer a statement.
"""


def plan(stage: Stage) -> None:
    """Plan the billing run of every month and, on the next working day, the issuing of its drafts."""
    calendar = stage.calendar
    everybody = [customer.id for customer in stage.customers.values()]
    for until in calendar.billed_until:
        day = calendar.workday_from(until)
        stage.timeline.plan(calendar.instant(day, 14 * 60 + 5), partial(_run, stage, until, everybody))
        following = calendar.workday_from(day + timedelta(days=1))
        stage.timeline.plan(calendar.instant(following, 9 * 60 + 5), partial(_issue, stage))
    first = [stage.customers[name].id for name in DONE_FIRST]
    stage.timeline.plan(calendar.now - timedelta(minutes=25), partial(_run, stage, calendar.this_month, first))


async def _run(stage: Stage, until: date, customers: list[int], at: datetime) -> None:
    await billing.run(until, customers, by=stage.agent("Max Herrmann"), at=at)


async def _issue(stage: Stage, at: datetime) -> None:
    """Issue every draft, one minute after the other."""
    by = stage.agent("Max Herrmann")
    for place, draft in enumerate((await billing.list_drafts(by, limit=1000)).rows):
        await billing.issue(draft["id"], by=by, at=at + timedelta(minutes=place))
