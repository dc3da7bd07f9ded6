"""Serve the forms for the tasks of services and projects. Only managers may open them."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.services import show_service
from portal.agent.setup.pages import form_page
from portal.contracts.services import Service
from portal.contracts.tasks import Task, TaskFacts
from portal.database import transaction
from portal.people.readers import AgentReader
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.guards import manager_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web


@post("/services/{service:int}/tasks", guards=[manager_only])
@on_refusal(show_service)
async def add_to_service(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], service: FromPath[int]
) -> Response[Any]:
    """Create a task of a service and redirect to the page of the service."""
    async with transaction(reader):
        await Task.create(await Service.find(service, reader), form.into(TaskFacts))
    return see_other(f"/agent/services/{service}#tasks")


@get("/tasks/{task:int}", guards=[manager_only])
async def show(request: Web, task: FromPath[int]) -> Response[str]:
    """Show the form that changes a task."""
    return await _task(request, task=task)


async def _task(request: Web, *, task: int, **again: Any) -> Response[str]:
    found = await Task.find(task)
    return await form_page(
        request, "agent/services/task.html", facts=found.facts, task=found, back=_back(found),
        currency=await Task.currency_of(found.service_id), **again,
    )  # fmt: skip


@post("/tasks/{task:int}", guards=[manager_only])
@on_refusal(_task)
async def change(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], task: FromPath[int]
) -> Response[Any]:
    """Save the name of a task, its billing default for new time entries and its fixed fee.

    Redirect to the page that lists the task.
    """
    async with transaction(reader):
        found = await Task.find(task, hold=True)
        await found.change(edited(form, TaskFacts, found.facts))
    return see_other(_back(found))


@post("/tasks/{task:int}/ending", guards=[manager_only])
async def end(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], task: FromPath[int]
) -> Response[Any]:
    """End a task, so that it can no longer be chosen for new time entries. Existing entries keep the task.

    Redirect to the page that lists the task.
    """
    async with transaction(reader):
        found = await Task.find(task)
        await found.end(at)
    return see_other(_back(found))


@post("/tasks/{task:int}/resumption", guards=[manager_only])
async def resume(reader: NamedDependency[AgentReader], task: FromPath[int]) -> Response[Any]:
    """Resume an ended task, so that it can be chosen for new time entries again.

    Redirect to the page that lists the task.
    """
    async with transaction(reader):
        found = await Task.find(task)
        await found.resume()
    return see_other(_back(found))


def _back(task: Task) -> str:
    """Return the URL of the project or service page that lists this task."""
    return f"/agent/projects/{task.project_id}#tasks" if task.project_id else f"/agent/services/{task.service_id}#tasks"


handlers: list[Any] = [add_to_service, show, change, end, resume]
