"""Serve the pages and forms of projects. Every agent may read projects, only managers may change them."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import field

from portal.agent.pages import agent_page
from portal.agent.setup.pages import form_page
from portal.agent.time.listing import Place, listing, submit_here
from portal.billing import charged_on_project
from portal.contracts.projects import Project, ProjectFacts
from portal.contracts.services import Service
from portal.contracts.tasks import Task, TaskFacts
from portal.database import transaction
from portal.desk import Question, agents_list
from portal.errors import Invalid
from portal.numbers import number_in
from portal.people.agents import AGENTS, Agent
from portal.people.customers import CUSTOMERS, Customer
from portal.people.offered import choices
from portal.people.readers import AgentReader
from portal.reports.project_costs import costs_of_cases, costs_of_projects
from portal.timekeeping.projects import CASES_SHOWN, list_projects, shown_project, time_of_project
from portal.web.edits import edited
from portal.web.finding import asked, settle
from portal.web.forms import Form
from portal.web.guards import manager_only, time_tracked
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of
from portal.words import ProjectState


class ProjectForm(ProjectFacts, kw_only=True):
    """Fields of the form that changes a project: the fields of `ProjectFacts` and the ids of the member agents."""

    members: list[int] = field(default_factory=list)


class SentProject(ProjectForm, kw_only=True):
    """Fields of a project's form as sent.

    If there are too many agents for a list with a box for each, the form lists only the members: `members` are those
    that are ticked, and `member` is the id of one more agent, from a search field. If `then` is `more`, the form is
    shown again for adding another member.
    """

    member: int | None = None
    then: str = ""

    @property
    def staff(self) -> list[int]:
        """Return the ids of all members: the ticked members, and `member` if it is given."""
        return self.members + ([self.member] if self.member else [])


MEMBER = {"member": AGENTS}
"""The search field for one more member, which the form has if there are too many agents for a list."""


class NewProject(SentProject, kw_only=True):
    """Fields of the form that creates a project: the fields of `SentProject`, and the id of the customer or None."""

    customer: int | None = None


@get("/projects")
async def list_all(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show one page of the list of projects, ordered by customer.

    `?state=` names the state of the listed projects. Without `?state=`, open projects are listed; with any other text,
    projects in every state. `?customer=` limits the list to one customer's projects, `?after=` is the paging cursor.
    """
    return await agent_page(request, reader, "agent/projects/list.html", **await listed(request, "/agent/projects"))


async def listed(request: Web, address: str) -> dict[str, Any]:
    """Return the template variables of one page of a list of projects, filtered by the URL.

    `address` is the path of the page with the list.
    """
    query = request.query_params
    asked_for = query.get("state", ProjectState.OPEN.value)
    state = ProjectState(asked_for) if asked_for in list(ProjectState) else None
    customer = await asked(request, "customer", CUSTOMERS)
    projects, following = await list_projects(state=state, customer_id=customer.id, after=number_in(query.get("after")))
    first = address + "?" + urlencode({"state": state or "all"} | ({"customer": customer.id} if customer.id else {}))
    turning = {
        "turned": "after" in query,
        "first": first,
        "next": f"{first}&after={following}" if following else None,
        "back": "To the first",
        "on": "More",
    }
    return {
        "projects": projects, "address": address, "turning": turning, "state": state, "states": list(ProjectState), "customer": customer,
    }  # fmt: skip


@get("/projects/new", guards=[manager_only])
async def new(request: Web) -> Response[str]:
    """Show the form for creating a project. Once a customer is chosen, the form offers the customer's services."""
    return await _new(request)


async def _new(request: Web, *, typed: dict[str, Any] | None = None, **again: Any) -> Response[str]:
    chosen = number_in((typed or {}).get("customer"))
    customer = await CUSTOMERS.find(chosen, None) if chosen else await asked(request, "customer", CUSTOMERS)
    agents = await Agent.selectable()
    return await form_page(
        request, "agent/projects/form.html", project=None, customer=customer, members=[], typed=_with_ticks(request, typed),
        services=await Service.offered(customer.id) if customer.id else [], finders=MEMBER,
        agents=choices(agents or []), all_listed=agents is not None, **again,
    )  # fmt: skip


@post("/projects/new", guards=[manager_only])
@on_refusal(_new)
async def add(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Create a project with its members, and redirect to the project. Raise `Invalid` if no customer is chosen."""
    async with transaction(reader):
        await settle(form, "member", AGENTS)
        fields = form.into(NewProject)
        if fields.customer is None:
            raise Invalid({"customer": "Choose the customer first."})
        project = await Project.create(await Customer.find(fields.customer, reader), fields, at)
        await project.staff(fields.staff)
    return see_other(_after(project.id, fields))


@get("/projects/{project:int}")
async def show(request: Web, reader: NamedDependency[AgentReader], project: FromPath[int]) -> Response[str]:
    """Show a project: its budget, members, tasks, connected cases, and one page of its time entries."""
    return await show_project(request, reader=reader, project=project)


async def show_project(
    request: Web, *, reader: AgentReader, project: int, outcome: Any = None, **again: Any
) -> Response[str]:
    """Return the page of a project.

    `outcome` is the result of submitting time entries; None if none were submitted. `again` has the typed values and
    the error messages of a refused form on this page.
    """
    found = await shown_project(project)
    cases = await agents_list(reader, Question(project_id=found.id))
    return await form_page(
        request, "agent/projects/show.html", project=found, time=await time_of_project(found.id),
        charged=await charged_on_project(found.id), **await _cost(reader, found.id),
        tasks=await Task.of_project(found.id), cases=cases.rows[:CASES_SHOWN], open_cases=cases.total_words,
        **await listing(request, reader, _place(found.id), outcome=outcome), **again,
    )  # fmt: skip


async def _cost(reader: AgentReader, project: int) -> dict[str, Any]:
    """Return the template variables with the cost of time logged on a project, and of time logged on its cases.

    Both variables are None for an agent who is not a manager.
    """
    if not reader.is_manager:
        return {"cost": None, "cases_cost": None}
    costs = await costs_of_projects(reader, [project])
    return {"cost": costs[project], "cases_cost": await costs_of_cases(reader, project)}


@get("/projects/{project:int}/edit", guards=[manager_only])
async def edit(request: Web, project: FromPath[int]) -> Response[str]:
    """Show the form for changing a project."""
    return await _edit(request, project=project)


def _with_ticks(request: Web, typed: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the values of a refused form with all ticked members, because `typed` has only the last ticked member.

    If no form was refused, or if `typed` has all ticked members already, return `typed` unchanged.
    """
    form = visit_of(request).form
    if typed is None or form is None or isinstance(typed.get("members"), list):
        return typed
    return typed | {"members": form.all("members")}


async def _edit(request: Web, *, project: int, typed: dict[str, Any] | None = None, **again: Any) -> Response[str]:
    found = await Project.find(project)
    members, agents = await found.members(), await Agent.selectable()
    staff = [one for one in await Agent.known() if one.id in members or (agents is not None and not one.has_ended)]
    return await form_page(
        request, "agent/projects/form.html", finders=MEMBER, facts=await _form_of(found), project=found, members=members,
        customer=await CUSTOMERS.find(found.customer_id, None), services=await Service.offered(found.customer_id),
        agents=choices(staff), all_listed=agents is not None, typed=_with_ticks(request, typed), **again,
    )  # fmt: skip


def _after(project: int, fields: SentProject) -> str:
    """Return the path to which the form of a project redirects: the project, or the form again for another member."""
    return f"/agent/projects/{project}" + ("/edit#members" if fields.then == "more" else "")


async def _form_of(project: Project) -> ProjectForm:
    facts = await project.facts()
    return ProjectForm(
        name=facts.name, service_id=facts.service_id, state=facts.state, budget_minutes=facts.budget_minutes,
        budget_amount=facts.budget_amount, members=await project.members(),
    )  # fmt: skip


@post("/projects/{project:int}/edit", guards=[manager_only])
@on_refusal(_edit)
async def change(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], project: FromPath[int]
) -> Response[Any]:
    """Save the fields and the members of a project, and redirect to the page of the project."""
    async with transaction(reader):
        found = await Project.find(project, hold=True)
        await settle(form, "member", AGENTS)
        fields = edited(form, SentProject, await _form_of(found))
        await found.change(fields)
        await found.staff(fields.staff)
    return see_other(_after(project, fields))


@post("/projects/{project:int}/tasks", guards=[manager_only])
@on_refusal(show_project)
async def add_task(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], project: FromPath[int]
) -> Response[Any]:
    """Create a task that can be chosen only for time on this project, and redirect to the project's tasks."""
    async with transaction(reader):
        await Task.create(await Project.find(project), form.into(TaskFacts))
    return see_other(f"/agent/projects/{project}#tasks")


@post("/projects/{project:int}/submission", guards=[time_tracked])
@on_refusal(show_project)
async def submit(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], project: FromPath[int]
) -> Response[Any]:
    """Submit the ticked time entries of the project, or all that match the filter, as `submit_here` does."""
    return await submit_here(request, form, show_project, _place(project), reader=reader, project=project)


def _place(project: int) -> Place:
    return Place("project", project, f"/agent/projects/{project}")


handlers: list[Any] = [list_all, new, add, show, edit, change, add_task, submit]
