"""Serve the page of one service: its facts, its tasks, and its time entries, which can be submitted there (S0.24)."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.setup.pages import form_page
from portal.agent.time.listing import Place, listing, submit_here
from portal.billing import added, figures_of, standings
from portal.contracts import approvers
from portal.contracts.contracts import Contract
from portal.contracts.price_list.products import Product
from portal.contracts.services import Service
from portal.contracts.tasks import Task
from portal.people.customers import Customer
from portal.people.readers import AgentReader
from portal.periods import today
from portal.web.forms import Form
from portal.web.guards import time_tracked
from portal.web.notices import reads_notices
from portal.web.pages import on_refusal
from portal.web.visit import Web, visit_of


@get("/services/{service:int}")
@reads_notices
async def show(request: Web, reader: NamedDependency[AgentReader], service: FromPath[int]) -> Response[str]:
    """Show the page of a service: its facts, its tasks, and one page of its time entries."""
    return await show_service(request, reader=reader, service=service)


async def show_service(
    request: Web, *, reader: AgentReader, service: int, outcome: Any = None, **again: Any
) -> Response[str]:
    """Return the page of a service.

    `outcome` is the result of submitting time entries; None if none were submitted. `again` has the typed values and
    the error messages of a refused form on this page.
    """
    found, visit = await Service.find(service, reader), visit_of(request)
    day = today(visit.company.time_zone, visit.at)
    [standing] = await standings(reader, found.customer_id, day, [found.id])
    siblings = {int(each.id): each for each in standing.contract.services}
    figures = await figures_of(siblings)
    return await form_page(
        request, "agent/services/show.html", service=found, tasks=await Task.of_service(found.id),
        contract=await Contract.find(found.contract_id, reader), customer=await Customer.find(found.customer_id, reader),
        approvers=await approvers.of_service(found.id), standing=standing,
        figures=figures[found.id], contract_figures=added(figures.values()),
        shared=siblings.get(found.included_from_id),
        product=await Product.find(found.product_id) if found.product_id else None,
        **await listing(request, reader, _place(found.id), outcome=outcome), **again,
    )  # fmt: skip


@post("/services/{service:int}/submission", guards=[time_tracked])
@on_refusal(show_service)
async def submit(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], service: FromPath[int]
) -> Response[Any]:
    """Submit the ticked time entries of the service, or all that match the filter, as `submit_here` does."""
    return await submit_here(request, form, show_service, _place(service), reader=reader, service=service)


def _place(service: int) -> Place:
    return Place("service", service, f"/agent/services/{service}")


handlers: list[Any] = [show, submit]
