"""Serve the set-up pages for departments, and for agents with their invitations. Only admins may open them."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal import regions
from portal.agent.pages import agent_page
from portal.agent.setup.access import access_of, remove_factors, sign_out_everywhere, try_mail_again
from portal.agent.setup.pages import form_page, invite_person
from portal.database import transaction
from portal.mail import refusals
from portal.numbers import number_in
from portal.people.agents import AGENTS, MANAGERS, Agent, AgentFacts, without_approver
from portal.people.departments import Department, DepartmentFacts
from portal.people.offered import choices, without
from portal.people.readers import AgentReader
from portal.people.roles import Role
from portal.people.working.overview import working_time
from portal.periods import today
from portal.timekeeping.leaving import end_agent, open_of
from portal.web.account.confirmation import ask_for_password, confirm_person, needs_password
from portal.web.account.personal_data import personal_data
from portal.web.edits import edited
from portal.web.finding import settle
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


@get("/setup/departments", guards=[admin_only])
async def departments(request: Web) -> Response[str]:
    """Show the departments as a tree, and a form that adds a department."""
    return await _departments(request)


async def _departments(request: Web, **again: Any) -> Response[str]:
    found = await Department.all_by_name()
    return await form_page(
        request,
        "agent/setup/departments.html",
        departments=await Department.tree(),
        department_choices=choices(found),
        **again,
    )


@post("/setup/departments", guards=[admin_only])
@on_refusal(_departments)
async def add_department(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Create a department, and redirect to the departments."""
    async with transaction(reader):
        await Department.create(form.into(DepartmentFacts))
    return see_other("/agent/setup/departments")


@get("/setup/departments/{department:int}", guards=[admin_only])
async def department(request: Web, department: FromPath[int]) -> Response[str]:
    """Show the form that changes a department."""
    return await _department(request, department=department)


async def _department(request: Web, *, department: int, **again: Any) -> Response[str]:
    found = await Department.find(department)
    others = [other for other in await Department.all_by_name() if other.id != department]
    return await form_page(
        request, "agent/setup/department.html", facts=found.facts, department=found,
        department_choices=choices(others), **again,
    )  # fmt: skip


@post("/setup/departments/{department:int}", guards=[admin_only])
@on_refusal(_department)
async def change_department(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], department: FromPath[int]
) -> Response[Any]:
    """Save the name of a department and the department above it, and redirect to the departments."""
    async with transaction(reader):
        found = await Department.find(department, hold=True)
        await found.change(edited(form, DepartmentFacts, found.facts))
    return see_other("/agent/setup/departments")


class AgentForm(AgentFacts, kw_only=True):
    """Form of an agent.

    `password` is the password of the signed-in admin. This password is required for a new agent, and for a change of
    the mail address or grade, unless the admin typed it recently (R20).
    """

    password: str = ""


@get("/setup/agents", guards=[admin_only])
async def agents(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show one page of the agents, and the agents whose time nobody else may approve. `?page=` counts from 1."""
    listed = await Agent.listed(number_in(request.query_params.get("page")))
    return await agent_page(
        request, reader, "agent/setup/agents.html", agents=listed, unapproved=await without_approver(),
        refused=await refusals.of_addresses([one["email"] for one in listed]), pages=listed.links("/agent/setup/agents?page="),
    )  # fmt: skip


@get("/setup/agents/new", guards=[admin_only])
async def new_agent(request: Web) -> Response[str]:
    """Show the form for a new agent."""
    return await _agent(request)


async def _agent(request: Web, *, agent: int | None = None, form: Form | None = None, **again: Any) -> Response[str]:
    found, departments = await Agent.find(agent) if agent is not None else None, await Department.all_by_name()
    facts = await found.facts() if found else None
    day = today(found.time_zone, visit_of(request).at) if found else None
    return await form_page(
        request, "agent/setup/agent.html", facts=facts, agent=found, ticked=_ticked(form, facts, departments, again.get("typed")),
        department_choices=choices(departments), role_choices=choices(await Role.all_by_name()), zones=regions.zones(),
        locales=regions.LOCALES, access=await access_of(request, found) if found else None,
        asks_password=needs_password(request), working=await working_time(found.id, day) if found and day else None, **again,
    )  # fmt: skip


def _ticked(
    form: Form | None, facts: AgentFacts | None, departments: list[Department], typed: dict[str, Any] | None
) -> list[str]:
    """Return the ids of the departments whose boxes are ticked on the form of an agent.

    These are the departments whose time a manager may approve. After a refusal, the ids are those of the refused form,
    merged with a colleague's simultaneous change if there was one. Without a refused form, the ids are those of the
    stored agent; for a new agent, all boxes are ticked.
    """
    if typed and isinstance(merged := typed.get("approves"), list):
        return merged
    if form is not None:
        return form.all("approves")
    return facts.approves if facts else [str(department.id) for department in departments]


@post("/setup/agents/new", guards=[admin_only])
@on_refusal(_agent)
async def add_agent(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Create an agent and invite them, by mail or with a link that the response shows once."""
    facts = form.into(AgentForm)
    await confirm_person(request, facts.password, at)
    async with transaction(reader):
        return await _invited(request, await Agent.create(facts, at), at)


@get("/setup/agents/{agent:int}", guards=[admin_only])
async def agent(request: Web, agent: FromPath[int]) -> Response[str]:
    """Show the form that changes an agent."""
    return await _agent(request, agent=agent)


@post("/setup/agents/{agent:int}", guards=[admin_only])
@on_refusal(_agent)
async def change_agent(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    agent: FromPath[int],
) -> Response[Any]:
    """Save changed data of an agent, and redirect to the agents. A new grade applies from the agent's next request on.

    The form must have the admin's password if it changes the mail address or the grade, because both give rights.
    """
    async with transaction(reader, readonly=True):
        before = await (await Agent.find(agent)).facts()
    facts = edited(form, AgentForm, before)
    if (facts.email, facts.grade) != (before.email, before.grade):
        await confirm_person(request, facts.password, at)
    async with transaction(reader):
        found = await Agent.find(agent, hold=True)
        await found.change(edited(form, AgentForm, await found.facts()), at)
    return see_other("/agent/setup/agents")


@post("/setup/agents/{agent:int}/invitations", guards=[admin_only])
async def invite_agent(
    request: Web, reader: NamedDependency[AgentReader], at: NamedDependency[datetime], agent: FromPath[int]
) -> Response[Any]:
    """Mail an agent a new link for setting a password, and invalidate older links.

    If there is no mail server, show the link to the admin instead. Whoever sees the link can choose the agent's
    password, so in this case the admin must have typed their own password recently; if not, redirect to the page that
    asks for the admin's password.
    """
    if not visit_of(request).settings.smtp_url:
        ask_for_password(request)
    async with transaction(reader):
        return await _invited(request, await Agent.find(agent), at)


async def _invited(request: Web, agent: Agent, at: datetime) -> Response[Any]:
    return await invite_person(request, agent, at, page=f"/agent/setup/agents/{agent.id}", back="/agent/setup/agents")


@post("/setup/agents/{agent:int}/invitations/revocation", guards=[admin_only])
async def revoke_invitation(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], agent: FromPath[int]
) -> Response[Any]:
    """End the open links by which an agent could set a password, and redirect to the agent."""
    async with transaction(reader):
        await (await Agent.find(agent)).revoke_links(at)
    return see_other(f"/agent/setup/agents/{agent}#access")


class Handover(Struct, kw_only=True):
    """Form that ends an agent's access and names successors.

    Open cases go to the agent with the id `agent`; if `agent` is None, they become unassigned. Planned appointments go
    to the agent with the id `appointments`; if `appointments` is None, they are cancelled. The departments and services
    whose time a leaving manager approves go to the manager with the id `approver`, or to nobody if `approver` is None.
    If `submits` is true, the agent's drafts and rejected time entries are submitted.
    """

    agent: int | None = None
    appointments: int | None = None
    approver: int | None = None
    submits: bool = False


SUCCESSORS = {"agent": AGENTS, "appointments": AGENTS, "approver": MANAGERS}
"""The search fields that replace the select fields of `Handover` if there are too many agents or managers."""


@get("/setup/agents/{agent:int}/ending", guards=[admin_only])
async def show_ending(request: Web, agent: FromPath[int]) -> Response[str]:
    """Show the open work, such as cases, of an agent whose access is to be ended, and ask who takes it over."""
    return await _ending(request, agent=agent)


async def _ending(request: Web, *, agent: int, **again: Any) -> Response[str]:
    found = await Agent.find(agent)
    return await form_page(
        request, "agent/setup/ending.html", agent=found, open=await open_of(found, visit_of(request).at), finders=SUCCESSORS,
        others=without(agent, await Agent.selectable()), managers=without(agent, await Agent.selectable_managers()), **again,
    )  # fmt: skip


@post("/setup/agents/{agent:int}/ending", guards=[admin_only])
@on_refusal(_ending)
async def end(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    agent: FromPath[int],
) -> Response[Any]:
    """End an agent's access at once, and redirect to the agents.

    `Handover` says what becomes of the agent's open cases, planned appointments, unsubmitted time and approvals.
    """
    async with transaction(reader):
        for name, finder in SUCCESSORS.items():
            await settle(form, name, finder)
        to = form.into(Handover)
        await end_agent(
            await Agent.find(agent), successor_id=to.agent, visitor_id=to.appointments, approver_id=to.approver,
            submits=to.submits, by=reader, at=at,
        )  # fmt: skip
    return see_other("/agent/setup/agents")


@post("/setup/agents/{agent:int}/resumption", guards=[admin_only])
async def resume_agent(reader: NamedDependency[AgentReader], agent: FromPath[int]) -> Response[Any]:
    """Restore the access of an agent whose access was ended, and redirect to the agents."""
    async with transaction(reader):
        await (await Agent.find(agent)).resume()
    return see_other("/agent/setup/agents")


@post("/setup/agents/{agent:int}/sign-out", guards=[admin_only])
async def sign_out_agent(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], agent: FromPath[int]
) -> Response[Any]:
    """End all sessions of an agent, and redirect to the agent. The agent may sign in again."""
    async with transaction(reader):
        await sign_out_everywhere(await Agent.find(agent), at)
    return see_other(f"/agent/setup/agents/{agent}")


@post("/setup/agents/{agent:int}/second-factor/removal", guards=[admin_only])
async def remove_agents_factors(
    request: Web, reader: NamedDependency[AgentReader], at: NamedDependency[datetime], agent: FromPath[int]
) -> Response[Any]:
    """Remove all second factors of an agent, end the agent's sessions, and redirect to the agent.

    If the admin has not typed their own password recently, change nothing, and redirect to the page that asks for it
    (R20).
    """
    async with transaction(reader, readonly=True):
        found = await Agent.find(agent)
    await remove_factors(request, reader, found, at)
    return see_other(f"/agent/setup/agents/{agent}")


@post("/setup/agents/{agent:int}/mail-refusal/removal", guards=[admin_only])
async def try_agents_mail_again(reader: NamedDependency[AgentReader], agent: FromPath[int]) -> Response[Any]:
    """Forget that a mail server has refused an agent's mail address, and redirect to the agent.

    From now on, the portal sends mails to this mail address again.
    """
    async with transaction(reader):
        await try_mail_again(await Agent.find(agent))
    return see_other(f"/agent/setup/agents/{agent}")


@get("/setup/agents/{agent:int}/data.zip", guards=[admin_only])
async def export_agent(request: Web, agent: FromPath[int]) -> Response[Any]:
    """Serve a ZIP file with everything that the portal stores about an agent."""
    return await personal_data(request, (await (await Agent.find(agent)).credential())["id"])


handlers: list[Any] = [
    departments, add_department, department, change_department, agents, new_agent, add_agent, agent, change_agent,
    invite_agent, revoke_invitation, show_ending, end, resume_agent, sign_out_agent, remove_agents_factors,
    try_agents_mail_again, export_agent,
]  # fmt: skip
