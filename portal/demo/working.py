"""Set the working hours, costs and absences of the demo's agents."""

from datetime import date, datetime, timedelta
from functools import partial

from portal.demo.stage import Stage
from portal.people.agents import Agent
from portal.people.readers import AgentReader
from portal.people.working.absences import Absence, AbsenceFacts
from portal.people.working.costs import CostRate, CostRateFacts
from portal.people.working.hours import WeekFacts, WorkingHours

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


async def arrange(agents: dict[str, AgentReader], start: date, third_month: date, at: datetime) -> None:
    """Set the working hours and the costs of all agents. The costs rise on the day `third_month`."""
    for name, costs in COSTS.items():
        agent = await Agent.find(agents[name].id)
        for cost, since in zip(costs, (start, third_month), strict=True):
            facts = CostRateFacts(hourly_cost=cost, currency="EUR", effective_from=since.isoformat())
            await CostRate.create(agent, facts, at)
    for name, week in HOURS.items():
        await WorkingHours.arrange(agents[name].id, week)


def plan(stage: Stage) -> None:
    """Plan two absences: one agent is away today, and a manager with a deputy next week."""
    stage.timeline.plan(stage.calendar.instant(stage.calendar.yesterday, 17 * 60 + 20), partial(_enter, stage))


async def _enter(stage: Stage, _: datetime) -> None:
    today = stage.calendar.today
    monday = today + timedelta(days=7 - today.weekday())
    for name, first, days, deputy, note in (
        ("Lena Vogt", today, 3, "", "Ill"),
        ("Max Herrmann", monday, 5, str(stage.agent("Rosa Lindner").id), "Holiday"),
        ("Petra Lindahl", monday + timedelta(days=14), 12, "", "Parental leave"),
    ):
        last = first + timedelta(days=days - 1)
        facts = AbsenceFacts(first_day=first.isoformat(), last_day=last.isoformat(), deputy_id=deputy, note=note)
        await Absence.create(await Agent.find(stage.agent(name).id), facts, own=True)
