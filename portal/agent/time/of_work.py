"""Serve the lists of a case's and of a task's time entries, where agents filter, change and submit the entries."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.pages import agent_page
from portal.agent.time.listing import Place, listing, submit_here
from portal.contracts.services import Service
from portal.contracts.tasks import Task
from portal.database import transaction
from portal.desk import Case, Details
from portal.people.readers import AgentReader
from portal.timekeeping.states import Submission
from portal.web.forms import Form
from portal.web.guards import case_time_tracked
from portal.web.pages import on_refusal
from portal.web.visit import Web


@get("/cases/{number:str}/time", guards=[case_time_tracked])
async def case_time(request: Web, reader: NamedDependency[AgentReader], number: FromPath[str]) -> Response[str]:
    """Show one page of the time entries of a case (S1.9, S1.10, S1.12)."""
    return await _case_time(request, reader=reader, number=number)


async def _case_time(
    request: Web, *, reader: AgentReader, number: str, outcome: Submission | None = None, **again: Any
) -> Response[str]:
    details = await Details.find(number, reader)
    return await agent_page(
        request, reader, "agent/time/case.html", details=details,
        **await listing(request, reader, _of_case(details.case), outcome=outcome), **again,
    )  # fmt: skip


@post("/cases/{number:str}/time/submission", guards=[case_time_tracked])
@on_refusal(_case_time)
async def submit_case_time(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], number: FromPath[str]
) -> Response[Any]:
    """Submit the ticked time entries of a case, or all that match the filter, as `submit_here` does."""
    async with transaction(reader, readonly=True):
        place = _of_case(await Case.find(number, reader))
    return await submit_here(request, form, _case_time, place, reader=reader, number=number)


def _of_case(case: Case) -> Place:
    return Place("case", case.id, f"/agent/cases/{case.number}/time")


@get("/tasks/{task:int}/time")
async def task_time(request: Web, reader: NamedDependency[AgentReader], task: FromPath[int]) -> Response[str]:
    """Show one page of the time entries of a task (S1.11, S1.12)."""
    return await _task_time(request, reader=reader, task=task)


async def _task_time(
    request: Web, *, reader: AgentReader, task: int, outcome: Submission | None = None, **again: Any
) -> Response[str]:
    found = await Task.find(task)
    return await agent_page(
        request, reader, "agent/time/task.html", task=found, service=await Service.find(found.service_id, reader),
        **await listing(request, reader, _of_task(found.id), outcome=outcome), **again,
    )  # fmt: skip


@post("/tasks/{task:int}/time/submission")
@on_refusal(_task_time)
async def submit_task_time(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], task: FromPath[int]
) -> Response[Any]:
    """Submit the ticked time entries of a task, or all that match the filter, as `submit_here` does."""
    return await submit_here(request, form, _task_time, _of_task(task), reader=reader, task=task)


def _of_task(task: int) -> Place:
    return Place("task", task, f"/agent/tasks/{task}/time")


handlers: list[Any] = [case_time, submit_case_time, task_time, submit_task_time]
