"""Serve the set-up page with the state of the system and its failed jobs. Only admins may open it."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal import jobs, outbox
from portal.agent.pages import agent_page
from portal.database import transaction
from portal.people.readers import AgentReader
from portal.storage import Storage
from portal.web.form_pages import FORM_PAGE
from portal.web.guards import admin_only
from portal.web.monitoring.health import checks
from portal.web.pages import see_other
from portal.web.visit import Web

PAGE = "/agent/setup/system"
MOST_FAILED = 50


@get("/setup/system", guards=[admin_only])
async def show(
    request: Web,
    reader: NamedDependency[AgentReader],
    storage: NamedDependency[Storage],
    at: NamedDependency[datetime],
) -> Response[str]:
    """Show the health checks, the latest failed jobs, and how many events of each kind the outbox holds."""
    state = await jobs.state()
    return await agent_page(
        request, reader, "agent/setup/system.html", checks=await checks(storage, state, at), jobs=state,
        failed=await jobs.failed(MOST_FAILED), told=await outbox.told_lately(),
    )  # fmt: skip


@post("/setup/failed-jobs/{job:int}/retry", guards=[admin_only], opt={FORM_PAGE: "/agent/setup/system"})
async def retry(reader: NamedDependency[AgentReader], job: FromPath[int]) -> Response[Any]:
    """Enqueue a failed job again, and redirect to the page about the system."""
    async with transaction(reader):
        await jobs.retry(job)
    return see_other(PAGE)


@post("/setup/failed-jobs/{job:int}/removal", guards=[admin_only], opt={FORM_PAGE: "/agent/setup/system"})
async def discard(reader: NamedDependency[AgentReader], job: FromPath[int]) -> Response[Any]:
    """Delete a failed job, so that it never runs again, and redirect to the page about the system."""
    async with transaction(reader):
        await jobs.discard(job)
    return see_other(PAGE)


handlers: list[Any] = [show, retry, discard]
