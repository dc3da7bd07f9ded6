"""Set the working hours, costs and absences of the demo's agents, and plan their timers and appointments."""

from datetime import date, datetime, timedelta
from functools import partial

from msgspec.structs import asdict

from portal.database import current
from portal.demo.scenario import Scenario
from portal.desk.appointments import Appointment, AppointmentFacts
from portal.desk.cases import Case
from portal.desk.workflow import Status
from portal.desk.workflow.statuses import CaseStatus, NewStatus
from portal.people.agents import Agent
from portal.people.readers import SYSTEM, AgentReader
from portal.people.working.absences import Absence, AbsenceFacts
from portal.people.working.costs import CostRate, CostRateFacts
from portal.people.working.hours import HoursFacts, WeekFacts, WorkingHours
from portal.timekeeping import logged_on
from portal.timekeeping.clock.timers import Timer

COSTS = {
    "Noor Haddad": ("52", "54"),
    "Max Herrmann": ("66", "68.50"),
    "Ines Okafor": ("61", "63"),
    "Jonas Brandt": ("47", "48.50"),
    "Lena Vogt": ("49", "50.50"),
    "Tomasz Wilk": ("60", "62"),
    "Petra Lindahl": ("36", "37.50"),
    "Rosa Lindner": ("51", "53"),
}
"""What an hour of each agent costs in euros: from the start of the demo, and from its third month."""

HOURS = {
    "Petra Lindahl": WeekFacts(monday="6h", tuesday="6h", wednesday="6h", thursday="6h"),
    "Lena Vogt": WeekFacts(monday="8h", tuesday="8h", wednesday="8h", thursday="8h", friday="4h"),
}
"""The working hours of the agents who do not work 8 h from Monday to Friday."""

VPN, SWITCH = "VPN drops every 20 minutes since the Windows update", "Replace the core switch, window on Saturday"
"""The subjects of two cases of the agent Ines. Both have an appointment, and a timer runs on the first."""
CONFIRMED = "Saturday at 09:00 is in the calendar now. I bring the new switch and both cables."
"""What Ines replies on the second case once its appointment is planned."""


async def arrange(agents: dict[str, AgentReader], start: date, third_month: date, at: datetime) -> None:
    """Set the costs of all agents, and the working hours of the agents in `HOURS`.

    The costs apply from the day `start`, and rise on the day `third_month`.
    """
    for name, costs in COSTS.items():
        agent = await Agent.find(agents[name].id)
        for cost, since in zip(costs, (start, third_month), strict=True):
            facts = CostRateFacts(hourly_cost=cost, currency="EUR", effective_from=since.isoformat())
            await CostRate.create(agent, facts, at)
    for name, week in HOURS.items():
        await WorkingHours.arrange(agents[name].id, HoursFacts(**asdict(week), effective_from=start.isoformat()))


def plan(scenario: Scenario) -> None:
    """Plan for yesterday evening that three absences are entered.

    An agent is ill from today on, a manager with a deputy is away next week, and another agent two weeks later.
    """
    scenario.timeline.plan(
        scenario.calendar.instant(scenario.calendar.yesterday, 17 * 60 + 20), partial(_enter, scenario)
    )


def plan_statuses(scenario: Scenario) -> None:
    """Plan that a status "Waiting for the manufacturer" is added, and set on the last case that waits for others."""

    async def wait(at: datetime) -> None:
        facts = NewStatus(name="Waiting for the manufacturer", category=Status.WAITING_FOR_OTHERS.value)
        status = await CaseStatus.create(facts)
        if number := await current().fetchval(_WAITING):
            case = await Case.find(number, SYSTEM, hold=True)
            await case.change_status(status.id, by=scenario.agent("Ines Okafor"), at=at)

    scenario.timeline.plan(scenario.calendar.instant(scenario.calendar.yesterday, 17 * 60 + 25), wait)


_WAITING = "select max(number) from cases where status = 'waiting_for_others'"


async def _enter(scenario: Scenario, _: datetime) -> None:
    today = scenario.calendar.today
    monday = today + timedelta(days=7 - today.weekday())
    for name, first, days, deputy, note in (
        ("Lena Vogt", today, 3, "", "Ill"),
        ("Max Herrmann", monday, 5, str(scenario.agent("Rosa Lindner").id), "Holiday"),
        ("Petra Lindahl", monday + timedelta(days=14), 12, "", "Parental leave"),
    ):
        last = first + timedelta(days=days - 1)
        facts = AbsenceFacts(first_day=first.isoformat(), last_day=last.isoformat(), deputy_id=deputy, note=note)
        await Absence.create(await Agent.find(scenario.agent(name).id), facts, own=True)


def plan_clock(scenario: Scenario) -> None:
    """Plan two timers that Ines starts within the last hour, a visit that took place, and a visit that is to come.

    The first visit was on the last working day, the second is on the next Saturday.
    """
    ines, calendar = scenario.agent("Ines Okafor"), scenario.calendar

    async def call(at: datetime) -> None:
        await Timer.start(ines, at=at, note="Somebody from Dublin on the phone")

    async def work(at: datetime) -> None:
        await Timer.start(ines, at=at, on=await logged_on.named(f"case-{(await _case(VPN)).number}"))

    async def visit(at: datetime) -> None:
        case, day = await _case(VPN), calendar.workdays[-1]
        agreed = at - timedelta(hours=4)
        done = await Appointment.plan(case, _facts(ines.id, day.isoformat(), "14:00", "14:45"), by=ines, at=agreed)
        await done.hold_it(case, by=ines, at=at)

    async def ahead(at: datetime) -> None:
        saturday = calendar.today + timedelta(days=(5 - calendar.today.weekday()) % 7 or 7)
        facts = _facts(ines.id, saturday.isoformat(), "09:00", "11:00", "Take the long console cable.")
        case = await _case(SWITCH)
        await Appointment.plan(case, facts, by=ines, at=at)
        # No time is logged on the case that day, so the page of forgotten time has something to suggest.
        await case.reply(by=ines, text=CONFIRMED, at=at, then=Status.OPEN)

    scenario.timeline.plan(calendar.instant(calendar.workdays[-1], 14 * 60 + 50), visit)
    scenario.timeline.plan(calendar.instant(calendar.workdays[-1], 16 * 60 + 20), ahead)
    scenario.timeline.plan(calendar.now - timedelta(minutes=52), call)
    scenario.timeline.plan(calendar.now - timedelta(minutes=37), work)


def _facts(agent: int, day: str, begins: str, ends: str, note: str = "") -> AppointmentFacts:
    return AppointmentFacts(kind="visit", day=day, begins=begins, ends=ends, agent_id=str(agent), note=note)


async def _case(subject: str) -> Case:
    number = await current().fetchval("select number from cases where subject = $1", subject)
    return await Case.find(number, SYSTEM, hold=True)
