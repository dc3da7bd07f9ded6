"""Serve the set-up pages for one agent's working hours, absences and cost rates. Only admins may open them."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal import regions
from portal.agent.setup.pages import form_page
from portal.agent.working.absences import DEPUTY, deputies_of, settle_deputy
from portal.database import transaction
from portal.people.agents import Agent
from portal.people.readers import AgentReader
from portal.people.working.absences import Absence, AbsenceFacts
from portal.people.working.costs import CostRate, CostRateFacts
from portal.people.working.hours import WEEKDAYS, HoursFacts, WorkingHours
from portal.periods import today
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of

PATH = "/setup/agents/{agent:int}"


def _page_of(agent: int, what: str) -> str:
    return f"/agent/setup/agents/{agent}/{what}"


@get(f"{PATH}/hours", guards=[admin_only])
async def hours(request: Web, agent: FromPath[int]) -> Response[str]:
    """Show the form with an agent's working hours."""
    return await _hours(request, agent=agent)


async def _hours(request: Web, *, agent: int, **again: Any) -> Response[str]:
    found = await Agent.find(agent)
    hours = await WorkingHours.of(agent)
    return await form_page(
        request,
        "agent/working/hours.html",
        facts=hours.latest.facts,
        agent=found,
        hours=hours,
        weekdays=WEEKDAYS,
        **again,
    )


@post(f"{PATH}/hours", guards=[admin_only])
@on_refusal(_hours)
async def change_hours(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], agent: FromPath[int]
) -> Response[Any]:
    """Save an agent's working hours, which apply from a given day on, and redirect to the agent.

    The working hours determine the agent's target hours, and how long a typed `1d` is.
    """
    async with transaction(reader):
        await Agent.find(agent, hold=True)
        await WorkingHours.arrange(agent, edited(form, HoursFacts, (await WorkingHours.of(agent)).latest.facts))
    return see_other(f"/agent/setup/agents/{agent}")


@get(f"{PATH}/absences", guards=[admin_only])
async def absences(request: Web, agent: FromPath[int]) -> Response[str]:
    """Show when an agent is away, with the form that adds an absence."""
    return await _absences(request, agent=agent)


async def _absences(request: Web, *, agent: int, **again: Any) -> Response[str]:
    found, visit = await Agent.find(agent), visit_of(request)
    day = today(found.time_zone, visit.at)
    return await form_page(
        request, "agent/working/of_agent.html", agent=found, absences=await Absence.of_agent(agent, day), today=day,
        deputies=await deputies_of(found), finders=DEPUTY, base=_page_of(agent, "absences"), **again,
    )  # fmt: skip


@post(f"{PATH}/absences", guards=[admin_only])
@on_refusal(_absences)
async def add_absence(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], agent: FromPath[int]
) -> Response[Any]:
    """Add an absence of an agent, and redirect to the agent's absences."""
    async with transaction(reader):
        await settle_deputy(form)
        await Absence.create(await Agent.find(agent), form.into(AbsenceFacts), own=False)
    return see_other(_page_of(agent, "absences"))


@get(f"{PATH}/absences/{{absence:int}}", guards=[admin_only])
async def absence(request: Web, agent: FromPath[int], absence: FromPath[int]) -> Response[str]:
    """Show the form that changes an absence of an agent."""
    return await _absence(request, agent=agent, absence=absence)


async def _absence(request: Web, *, agent: int, absence: int, **again: Any) -> Response[str]:
    found, person = await Absence.find(absence, agent=agent), await Agent.find(agent)
    return await form_page(
        request, "agent/working/absence.html", facts=found.facts, absence=found, agent=person,
        deputies=await deputies_of(person), finders=DEPUTY, base=_page_of(agent, "absences"), **again,
    )  # fmt: skip


@post(f"{PATH}/absences/{{absence:int}}", guards=[admin_only])
@on_refusal(_absence)
async def change_absence(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], agent: FromPath[int], absence: FromPath[int]
) -> Response[Any]:
    """Save the days, the deputy and the note of an absence of an agent, and redirect to the agent's absences."""
    async with transaction(reader):
        found = await Absence.find(absence, agent=agent, hold=True)
        await settle_deputy(form, found)
        await found.change(await Agent.find(agent), edited(form, AbsenceFacts, found.facts), own=False)
    return see_other(_page_of(agent, "absences"))


@post(f"{PATH}/absences/{{absence:int}}/removal", guards=[admin_only])
async def cancel_absence(
    reader: NamedDependency[AgentReader], agent: FromPath[int], absence: FromPath[int]
) -> Response[Any]:
    """Delete an absence of an agent, and redirect to the agent's absences."""
    async with transaction(reader):
        await (await Absence.find(absence, agent=agent)).cancel()
    return see_other(_page_of(agent, "absences"))


@get(f"{PATH}/cost-rates", guards=[admin_only])
async def cost_rates(request: Web, agent: FromPath[int]) -> Response[str]:
    """Show what an hour of an agent costs, with the form that adds a cost rate."""
    return await _cost_rates(request, agent=agent)


async def _cost_rates(request: Web, *, agent: int, **again: Any) -> Response[str]:
    return await form_page(
        request, "agent/working/cost_rates.html", agent=await Agent.find(agent), rates=await CostRate.listed(agent),
        currencies=regions.currencies(), **again,
    )  # fmt: skip


@post(f"{PATH}/cost-rates", guards=[admin_only])
@on_refusal(_cost_rates)
async def add_cost_rate(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    agent: FromPath[int],
) -> Response[Any]:
    """Add a cost rate (what an hour costs the company) of an agent, and redirect to the agent's cost rates.

    The cost rate applies from its first day until the next cost rate begins.
    """
    async with transaction(reader):
        await CostRate.create(await Agent.find(agent), form.into(CostRateFacts), at)
    return see_other(_page_of(agent, "cost-rates"))


@post(f"{PATH}/cost-rates/{{rate:int}}/withdrawal", guards=[admin_only])
async def withdraw_cost_rate(
    reader: NamedDependency[AgentReader], agent: FromPath[int], rate: FromPath[int]
) -> Response[Any]:
    """Delete a cost rate of an agent, and redirect to the agent's cost rates."""
    async with transaction(reader):
        await (await CostRate.find(rate, agent=agent)).withdraw()
    return see_other(_page_of(agent, "cost-rates"))


handlers: list[Any] = [
    hours, change_hours, absences, add_absence, absence, change_absence, cancel_absence, cost_rates, add_cost_rate,
    withdraw_cost_rate,
]  # fmt: skip
