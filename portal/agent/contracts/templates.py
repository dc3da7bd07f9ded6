"""Serve the set-up pages of templates of services. Only admins may open them."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal import regions
from portal.agent.setup.pages import form_page
from portal.contracts.price_list.products import Product
from portal.contracts.price_list.templates import ServiceTemplate, TemplateFacts
from portal.database import transaction
from portal.people.readers import AgentReader
from portal.web.edits import edited
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of

HERE = "/agent/setup/service-templates"


@get("/setup/service-templates", guards=[admin_only])
async def templates(request: Web) -> Response[str]:
    """Show all templates of services."""
    return await form_page(request, "agent/price_list/templates.html", templates=await ServiceTemplate.listed())


@get("/setup/service-templates/new", guards=[admin_only])
async def new_template(request: Web) -> Response[str]:
    """Show the form for a new template of services."""
    return await _template(request)


async def _template(request: Web, *, template: int | None = None, **again: Any) -> Response[str]:
    found = await ServiceTemplate.find(template) if template is not None else None
    usual = found.currency if found else visit_of(request).company.currency
    product = (found.facts.product_id if found else "") or "0"
    return await form_page(
        request, "agent/price_list/template.html", facts=found.facts if found else None, stored=found,
        products=[(one.id, one.name) for one in await Product.offered(int(product))], currencies=regions.currencies(),
        usual_currency=usual, contract={"currency": usual}, service=found, subscriptions=[], managers=[], ticked=[], **again,
    )  # fmt: skip


@post("/setup/service-templates/new", guards=[admin_only])
@on_refusal(_template)
async def add_template(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Create a template of services, and redirect to the list of templates."""
    async with transaction(reader):
        await ServiceTemplate.create(form.into(TemplateFacts))
    return see_other(HERE)


@get("/setup/service-templates/{template:int}", guards=[admin_only])
async def template(request: Web, template: FromPath[int]) -> Response[str]:
    """Show the form that changes a template of services."""
    return await _template(request, template=template)


@post("/setup/service-templates/{template:int}", guards=[admin_only])
@on_refusal(_template)
async def change_template(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], template: FromPath[int]
) -> Response[Any]:
    """Save a changed template of services, and redirect to the list of templates. Existing services do not change."""
    async with transaction(reader):
        found = await ServiceTemplate.find(template, hold=True)
        await found.change(edited(form, TemplateFacts, found.facts))
    return see_other(HERE)


@post("/setup/service-templates/{template:int}/ending", guards=[admin_only])
async def end_template(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], template: FromPath[int]
) -> Response[Any]:
    """End a template, so that it is no longer offered for new services, and redirect to the list of templates."""
    async with transaction(reader):
        await (await ServiceTemplate.find(template)).end(at)
    return see_other(HERE)


@post("/setup/service-templates/{template:int}/resumption", guards=[admin_only])
async def resume_template(reader: NamedDependency[AgentReader], template: FromPath[int]) -> Response[Any]:
    """Resume an ended template, so that it is offered for new services again; redirect to the list of templates."""
    async with transaction(reader):
        await (await ServiceTemplate.find(template)).resume()
    return see_other(HERE)


handlers: list[Any] = [
    templates, new_template, add_template, template, change_template, end_template, resume_template,
]  # fmt: skip
