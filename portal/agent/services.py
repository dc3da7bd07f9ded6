"""Serve the page of one service with its tasks. Every agent may open it."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.setup.pages import form_page
from portal.contracts.contracts import Contract
from portal.contracts.services import Service
from portal.contracts.tasks import Task
from portal.people.customers import Customer
from portal.people.readers import AgentReader
from portal.web.visit import Web


@get("/services/{service:int}")
async def show(request: Web, reader: NamedDependency[AgentReader], service: FromPath[int]) -> Response[str]:
    """Show a service with its tasks."""
    return await show_service(request, reader=reader, service=service)


async def show_service(request: Web, *, reader: AgentReader, service: int, **again: Any) -> Response[str]:
    """Return the page of a service. `again` holds `typed` and `errors` of a task form that was refused."""
    found = await Service.find(service, reader)
    return await form_page(
        request, "agent/services/show.html", service=found, tasks=await Task.of_service(found.id),
        contract=await Contract.find(found.contract_id, reader), customer=await Customer.find(found.customer_id, reader), **again,
    )  # fmt: skip


handlers: list[Any] = [show]
