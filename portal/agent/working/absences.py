"""Serve the page of an agent's own absences and of the colleagues who are away.

An absent manager can have a deputy: another manager, who approves time during the absence.
"""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.people.agents import MANAGERS, Agent
from portal.people.offered import Offered, without
from portal.people.readers import AgentReader
from portal.people.working.absences import Absence, AbsenceFacts
from portal.periods import today
from portal.web.edits import edited
from portal.web.finding import settle
from portal.web.forms import Form
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of

HERE = "/agent/absences"


DEPUTY = {"deputy_id": MANAGERS}
"""The search field that replaces the select field of the form if there are too many managers for a select field."""


async def deputies_of(agent: Agent) -> list[Offered] | None:
    """Return the managers who can be the deputy of the manager `agent`.

    Return an empty list if `agent` is not a manager, and None if there are too many managers for a select field.
    """
    return without(agent.id, await Agent.selectable_managers()) if agent.grade == "manager" else []


async def settle_deputy(form: Form, absence: Absence | None = None) -> None:
    """Replace the typed name of the deputy in the form by the deputy's id.

    A deputy who has left is accepted only if they are the deputy of the stored `absence`.
    """
    await settle(form, "deputy_id", MANAGERS, absence.deputy_id if absence else None)


@get(HERE.removeprefix("/agent"))
async def absences(request: Web) -> Response[str]:
    """Show the agent's absences, the colleagues who are away, and the form that adds an absence of the agent."""
    return await _absences(request)


async def _absences(request: Web, **again: Any) -> Response[str]:
    visit = visit_of(request)
    reader: Any = visit.reader
    day = today(reader.time_zone, visit.at)
    return await form_page(
        request, "agent/working/absences.html", own=await Absence.of_agent(reader.id, day), others=await Absence.of_others(reader.id, day),
        today=day, deputies=await deputies_of(await Agent.find(reader.id)), finders=DEPUTY, **again,
    )  # fmt: skip


@post(HERE.removeprefix("/agent"))
@on_refusal(_absences)
async def add_absence(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Add an absence of the signed-in agent, and redirect to the page of absences."""
    async with transaction(reader):
        await settle_deputy(form)
        await Absence.create(await Agent.find(reader.id), form.into(AbsenceFacts), own=True)
    return see_other(HERE)


@get("/absences/{absence:int}")
async def absence(request: Web, absence: FromPath[int]) -> Response[str]:
    """Show the form that changes one of the signed-in agent's absences."""
    return await _absence(request, absence=absence)


async def _absence(request: Web, *, absence: int, **again: Any) -> Response[str]:
    reader: Any = visit_of(request).reader
    found = await Absence.find(absence, agent=reader.id)
    agent = await Agent.find(reader.id)
    return await form_page(
        request, "agent/working/absence.html", facts=found.facts, absence=found, agent=agent,
        deputies=await deputies_of(agent), finders=DEPUTY, base=HERE, **again,
    )  # fmt: skip


@post("/absences/{absence:int}")
@on_refusal(_absence)
async def change_absence(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], absence: FromPath[int]
) -> Response[Any]:
    """Save days, deputy and note of one of the signed-in agent's absences, and redirect to the page of absences."""
    async with transaction(reader):
        found = await Absence.find(absence, agent=reader.id, hold=True)
        await settle_deputy(form, found)
        await found.change(await Agent.find(reader.id), edited(form, AbsenceFacts, found.facts), own=True)
    return see_other(HERE)


@post("/absences/{absence:int}/removal")
async def cancel_absence(reader: NamedDependency[AgentReader], absence: FromPath[int]) -> Response[Any]:
    """Delete one of the signed-in agent's absences, and redirect to the page of absences."""
    async with transaction(reader):
        await (await Absence.find(absence, agent=reader.id)).cancel()
    return see_other(HERE)


handlers: list[Any] = [absences, add_absence, absence, change_absence, cancel_absence]
