"""Serve the forms for targets, the times promised for each priority (S3.20, S3.35).

There are default targets, and a service can have targets of its own.
"""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.setup.deadlines.show import HERE
from portal.agent.setup.pages import form_page
from portal.contracts.services import SERVICES
from portal.database import transaction
from portal.desk.deadlines import recounting
from portal.desk.deadlines.targets import TargetFacts, Targets, remove_targets, save_targets, targets_of, usual_targets
from portal.desk.workflow import priorities
from portal.people.readers import AgentReader
from portal.web.edits import edited
from portal.web.finding import asked
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web


@get("/setup/deadlines/targets", guards=[admin_only])
async def usual(request: Web) -> Response[str]:
    """Show the form with the default targets, which apply to services without targets of their own."""
    return await _usual(request)


async def _usual(request: Web, **again: Any) -> Response[str]:
    return await _targets(request, await usual_targets(), **again)


async def _targets(request: Web, targets: Targets, **again: Any) -> Response[str]:
    return await form_page(
        request, "agent/deadlines/targets.html", facts=targets.facts, targets=targets,
        priorities=dict(await priorities.choices()), **again,
    )  # fmt: skip


@post("/setup/deadlines/targets", guards=[admin_only])
@on_refusal(_usual)
async def save_usual(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Save the default targets, and redirect to the page of deadlines.

    A job computes the deadlines of open cases again.
    """
    async with transaction(reader):
        await recounting.begin()
        await save_targets(edited(form, TargetFacts, (await usual_targets()).facts))
    return see_other(HERE)


@get("/setup/deadlines/services", guards=[admin_only])
async def choose(request: Web) -> Response[Any]:
    """Redirect to the targets of the service with the id `?service=`. Without such a service, ask which service."""
    found = await asked(request, "service", SERVICES)
    if found.id:
        return see_other(f"{HERE}/services/{found.id}")
    return await form_page(request, "agent/deadlines/choose.html", service=found)


@get("/setup/deadlines/services/{service:int}", guards=[admin_only])
async def of_service(request: Web, service: FromPath[int]) -> Response[str]:
    """Show the form with the targets of a service, or with the default targets if the service has none of its own."""
    return await _of_service(request, service=service)


async def _of_service(request: Web, *, service: int, **again: Any) -> Response[str]:
    return await _targets(request, await targets_of(service), **again)


@post("/setup/deadlines/services/{service:int}", guards=[admin_only])
@on_refusal(_of_service)
async def save_of_service(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], service: FromPath[int]
) -> Response[Any]:
    """Save the targets of a service, and redirect to the page of deadlines.

    A job computes the deadlines of open cases again.
    """
    async with transaction(reader):
        await recounting.begin()
        await save_targets(edited(form, TargetFacts, (await targets_of(service)).facts), service)
    return see_other(HERE)


@post("/setup/deadlines/services/{service:int}/removal", guards=[admin_only])
async def remove_of_service(reader: NamedDependency[AgentReader], service: FromPath[int]) -> Response[Any]:
    """Delete the targets of a service, so that the default targets apply, and redirect to the page of deadlines.

    A job computes the deadlines of open cases again.
    """
    async with transaction(reader):
        await recounting.begin()
        await remove_targets(service)
    return see_other(HERE)


handlers: list[Any] = [usual, save_usual, choose, of_service, save_of_service, remove_of_service]
