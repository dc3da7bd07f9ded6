"""Serve the set-up pages for billing roles, rates and case types. Only admins may open them."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal import billing, regions
from portal.agent.setup.pages import form_page
from portal.contracts.case_types import CaseType, CaseTypeFacts
from portal.contracts.company import Company
from portal.contracts.rates import Rate, RateFacts, RoleFacts, create_role
from portal.contracts.services import SERVICES
from portal.database import transaction
from portal.database.finder import choosable
from portal.people.agents import AGENTS
from portal.people.customers import CUSTOMERS
from portal.people.offered import choices
from portal.people.readers import AgentReader
from portal.people.roles import Role, RoleName
from portal.web.edits import edited
from portal.web.finding import chosen, shown
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web


@get("/setup/roles", guards=[admin_only])
async def roles(request: Web) -> Response[str]:
    """Show all billing roles with their rates, and a form that adds a role."""
    return await _roles(request)


async def _roles(request: Web, **again: Any) -> Response[str]:
    return await form_page(
        request, "agent/setup/roles.html", roles=await Role.all_by_name(), rates=await Rate.listed(),
        set_up=await Company.find(), **again,
    )  # fmt: skip


@post("/setup/roles", guards=[admin_only])
@on_refusal(_roles)
async def add_role(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Create a billing role with its first rate, and redirect to the roles."""
    async with transaction(reader):
        await create_role(form.into(RoleFacts), at)
    return see_other("/agent/setup/roles")


@get("/setup/roles/{role:int}", guards=[admin_only])
async def role(request: Web, role: FromPath[int]) -> Response[str]:
    """Show the form that renames a billing role."""
    return await _role(request, role=role)


async def _role(request: Web, *, role: int, **again: Any) -> Response[str]:
    found = await Role.find(role)
    return await form_page(request, "agent/setup/role.html", facts=found.facts, role=found, **again)


@post("/setup/roles/{role:int}", guards=[admin_only])
@on_refusal(_role)
async def rename_role(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], role: FromPath[int]
) -> Response[Any]:
    """Save the name of a billing role, and redirect to the roles."""
    async with transaction(reader):
        found = await Role.find(role, hold=True)
        await found.rename(edited(form, RoleName, found.facts).name)
    return see_other("/agent/setup/roles")


SCOPES = {"customer_id": choosable(CUSTOMERS), "service_id": choosable(SERVICES), "agent_id": choosable(AGENTS)}
"""The search fields of a new rate, by field name."""


class RateForm(RateFacts, kw_only=True):
    """Form of a new rate. Each search field sends an id and, in a field ending in `_typed`, the typed text."""

    customer_id_typed: str = ""
    service_id_typed: str = ""
    agent_id_typed: str = ""


@get("/setup/rates", guards=[admin_only])
async def rates(request: Web) -> Response[str]:
    """Show all rates, and a form that adds a rate."""
    return await _rates(request)


async def _rates(request: Web, **again: Any) -> Response[str]:
    return await form_page(
        request, "agent/setup/rates.html", rates=await Rate.listed(), used=await billing.rates_in_use(),
        role_choices=choices(await Role.all_by_name()), found=await shown(again.get("typed"), SCOPES),
        currencies=regions.currencies(), **again,
    )  # fmt: skip


@post("/setup/rates", guards=[admin_only])
@on_refusal(_rates)
async def add_rate(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Create a rate, and redirect to the rates."""
    sent = form.into(RateForm)
    async with transaction(reader):
        scope = {name: str(id or "") for name, id in (await chosen(form.typed, SCOPES)).items()}
        price = {name: getattr(sent, name) for name in ("hourly_rate", "currency", "effective_from", "role_id")}
        await Rate.create(RateFacts(**price, **scope), at)
    return see_other("/agent/setup/rates")


@post("/setup/rates/{rate:int}/withdrawal", guards=[admin_only])
async def withdraw_rate(reader: NamedDependency[AgentReader], rate: FromPath[int]) -> Response[Any]:
    """Delete a rate, and redirect to the rates. Raise `Conflict` if time has been approved at this rate."""
    async with transaction(reader):
        await (await Rate.find(rate)).withdraw()
    return see_other("/agent/setup/rates")


@get("/setup/case-types", guards=[admin_only])
async def case_types(request: Web) -> Response[str]:
    """Show all case types, and a form that adds a case type."""
    return await _case_types(request)


async def _case_types(request: Web, **again: Any) -> Response[str]:
    return await form_page(request, "agent/setup/case_types.html", case_types=await CaseType.listed(), **again)


@post("/setup/case-types", guards=[admin_only])
@on_refusal(_case_types)
async def add_case_type(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Create a case type, and redirect to the case types."""
    async with transaction(reader):
        await CaseType.create(form.into(CaseTypeFacts))
    return see_other("/agent/setup/case-types")


@get("/setup/case-types/{case_type:int}", guards=[admin_only])
async def case_type(request: Web, case_type: FromPath[int]) -> Response[str]:
    """Show the form that changes a case type."""
    return await _case_type(request, case_type=case_type)


async def _case_type(request: Web, *, case_type: int, **again: Any) -> Response[str]:
    found = await CaseType.find(case_type)
    return await form_page(request, "agent/setup/case_type.html", facts=found.facts, case_type=found, **again)


@post("/setup/case-types/{case_type:int}", guards=[admin_only])
@on_refusal(_case_type)
async def change_case_type(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], case_type: FromPath[int]
) -> Response[Any]:
    """Save the name of a case type and whether its time is billable by default, and redirect to the case types.

    The new default applies to time that is logged from now on.
    """
    async with transaction(reader):
        found = await CaseType.find(case_type, hold=True)
        await found.change(edited(form, CaseTypeFacts, found.facts))
    return see_other("/agent/setup/case-types")


@post("/setup/case-types/{case_type:int}/ending", guards=[admin_only])
async def end_case_type(
    reader: NamedDependency[AgentReader], at: NamedDependency[datetime], case_type: FromPath[int]
) -> Response[Any]:
    """End a case type, so that forms no longer offer it, and redirect to the case types."""
    async with transaction(reader):
        await (await CaseType.find(case_type)).end(at)
    return see_other("/agent/setup/case-types")


@post("/setup/case-types/{case_type:int}/resumption", guards=[admin_only])
async def resume_case_type(reader: NamedDependency[AgentReader], case_type: FromPath[int]) -> Response[Any]:
    """Resume a case type that was ended, so that forms offer it again, and redirect to the case types."""
    async with transaction(reader):
        await (await CaseType.find(case_type)).resume()
    return see_other("/agent/setup/case-types")


handlers: list[Any] = [
    roles, add_role, role, rename_role, rates, add_rate, withdraw_rate, case_types, add_case_type, case_type,
    change_case_type, end_case_type, resume_case_type,
]  # fmt: skip
