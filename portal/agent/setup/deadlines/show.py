"""Serve the page that shows how deadlines are computed, with the forms for the company's own days.

An own day is a day on which the company is closed, or open in spite of a public holiday.
"""

from datetime import date, datetime, timedelta
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk.deadlines import recounting
from portal.desk.deadlines.business_hours import Hours
from portal.desk.deadlines.calendars import DayFacts, add_day, business_hours, facts_of, own_days, remove_day
from portal.desk.deadlines.holidays import holidays_of, offered_countries
from portal.desk.deadlines.targets import own_targets, usual_targets
from portal.desk.workflow import priorities
from portal.people.readers import AgentReader
from portal.periods import today
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of

HERE = "/agent/setup/deadlines"
AHEAD = timedelta(days=365)
"""How far ahead public holidays are listed."""
BACK = timedelta(days=365)
"""How far back the company's own days are listed, because deadlines of open cases still depend on past days."""


@get("/setup/deadlines", guards=[admin_only])
async def deadlines(request: Web) -> Response[str]:
    """Show targets, business hours and days off, and the progress of the job that computes the deadlines again."""
    return await _deadlines(request)


async def _deadlines(request: Web, **again: Any) -> Response[str]:
    hours = await business_hours()
    since = today(hours.zone, visit_of(request).at)
    own = await own_days(since - BACK)
    return await form_page(
        request, "agent/deadlines/show.html", hours=hours, week=facts_of(hours), usual=await usual_targets(),
        services=await own_targets(), priorities=dict(await priorities.choices()), own=own,
        holidays=_holidays(hours, since, {row["day"] for row in own}),
        country=offered_countries().get(hours.country, ""), recount=await recounting.latest(), **again,
    )  # fmt: skip


def _holidays(hours: Hours, since: date, known: set[date]) -> list[tuple[date, str]]:
    """Return the day and the name of each public holiday within a year from `since` that falls on a working weekday.

    The days in `known` are left out, because they are the company's own days.
    """
    weekdays = {weekday for weekday, _, _ in hours.windows}
    years = (holidays_of(since.year + more, hours.country, hours.region) for more in (0, 1))
    return [
        (day, name)
        for year in years
        for day, name in year.items()
        if since <= day < since + AHEAD and day.isoweekday() in weekdays and day not in known
    ]


@post("/setup/deadlines/days", guards=[admin_only])
@on_refusal(_deadlines)
async def add_own_day(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Add a day on which the company is closed, or open in spite of a public holiday; redirect to the company's days.

    A job computes the deadlines of open cases again.
    """
    async with transaction(reader):
        await recounting.begin()
        since = today((await business_hours()).zone, at) - BACK
        await add_day(form.into(DayFacts), since=since)
    return see_other(f"{HERE}#days")


@post("/setup/deadlines/days/{day:date}/removal", guards=[admin_only])
async def remove_own_day(reader: NamedDependency[AgentReader], day: FromPath[date]) -> Response[Any]:
    """Remove one of the company's own days, and redirect to the company's days.

    Afterwards the weekday and public holidays decide again whether the company is open on that day. A job computes the
    deadlines of open cases again.
    """
    async with transaction(reader):
        await recounting.begin()
        await remove_day(day)
    return see_other(f"{HERE}#days")


handlers: list[Any] = [deadlines, add_own_day, remove_own_day]
