"""Plan the timers and appointments of the demo: Ines has a running timer and a paused one, a visit done and one ahead."""

from datetime import datetime, timedelta

from portal.database import current
from portal.demo.stage import Stage
from portal.desk.appointments import Appointment, AppointmentFacts
from portal.desk.cases import Case
from portal.people.readers import SYSTEM
from portal.timekeeping import logged_on
from portal.timekeeping.clock.timers import Timer

VPN, SWITCH = "VPN drops every 20 minutes since the Windows update", "Replace the core switch, window on Saturday"


def plan(stage: Stage) -> None:
    """Plan two timers of today, a visit on the last working day, which is done, and one on a Saturday to come."""
    ines, calendar = stage.agent("Ines Okafor"), stage.calendar

    async def call(at: datetime) -> None:
        await Timer.start(ines, at=at, note="Somebody from Dublin on the phone")

    async def work(at: datetime) -> None:
        await Timer.start(ines, at=at, on=await logged_on.named(f"case-{(await _case(VPN)).number}"))

    async def visit(at: datetime) -> None:
        case, day = await _case(VPN), calendar.workdays[-1]
        done = await Appointment.plan(case, _facts(ines.id, day.isoformat(), "14:00", "14:45"), by=ines, at=at)
        await done.hold_it(case, by=ines, at=at)

    async def ahead(at: datetime) -> None:
        saturday = calendar.today + timedelta(days=(5 - calendar.today.weekday()) % 7 or 7)
        facts = _facts(ines.id, saturday.isoformat(), "09:00", "11:00", "Take the long console cable.")
        await Appointment.plan(await _case(SWITCH), facts, by=ines, at=at)

    stage.timeline.plan(calendar.instant(calendar.workdays[-1], 14 * 60 + 50), visit)
    stage.timeline.plan(calendar.instant(calendar.workdays[-1], 16 * 60 + 20), ahead)
    stage.timeline.plan(calendar.now - timedelta(minutes=52), call)
    stage.timeline.plan(calendar.now - timedelta(minutes=37), work)


def _facts(agent: int, day: str, begins: str, ends: str, note: str = "") -> AppointmentFacts:
    return AppointmentFacts(kind="visit", day=day, begins=begins, ends=ends, agent_id=str(agent), note=note)


async def _case(subject: str) -> Case:
    number = await current().fetchval("select number from cases where subject = $1", subject)
    return await Case.find(number, SYSTEM, hold=True)
