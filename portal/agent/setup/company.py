"""Serve the set-up pages for the company and its logo. Only admins may open them."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from msgspec import Struct

from portal import regions
from portal.agent.setup.pages import form_page
from portal.contracts import logo
from portal.contracts.company import CREDIT_NOTE, Company, CompanyFacts, NumberSeries
from portal.database import transaction
from portal.desk.deadlines import recounting
from portal.desk.dispatch.rules import seed_rule
from portal.errors import Invalid
from portal.people.readers import AgentReader
from portal.render.documents import MOST_LOGO_BYTES
from portal.web.account.confirmation import confirm_person, needs_password
from portal.web.edits import edited
from portal.web.forms import Form, Nothing
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


class CompanyForm(CompanyFacts, kw_only=True):
    """Form of the company.

    `password` is the password of the signed-in admin. The password is required unless the admin typed it recently
    (R20).
    """

    password: str = ""


NO_COMPANY = CompanyFacts(**dict.fromkeys(CompanyFacts.__struct_fields__, ""))
"""The values of the form before the company is set up: all empty."""


@get("/setup/company", guards=[admin_only])
async def company(request: Web) -> Response[str]:
    """Show the form of the company."""
    return await _company(request)


async def _company(request: Web, **again: Any) -> Response[str]:
    found, series, credits = await Company.find(), await NumberSeries.find(), await NumberSeries.find(CREDIT_NOTE)
    facts = await found.facts() if found else None
    return await form_page(
        request, "agent/setup/company.html", facts=facts, seen=facts or NO_COMPANY, is_new=found is None,
        is_numbered=series is not None and series.is_used, is_credited=credits is not None and credits.is_used, asks_password=needs_password(request),
        countries=regions.countries(), currencies=regions.currencies(), zones=regions.zones(), logo=await logo.digest(), **again,
    )  # fmt: skip


@post("/setup/company", guards=[admin_only])
@on_refusal(_company)
async def save_company(
    request: Web,
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
) -> Response[Any]:
    """Create the company and the first rule of dispatch, or save the company's changed data; redirect to the set-up.

    If the time zone has changed, a job recomputes the deadlines of open cases, because the business hours may use the
    company's time zone.
    """
    await confirm_person(request, form.into(CompanyForm).password, at)
    async with transaction(reader):
        held = await Company.find(hold=True)
        facts = edited(form, CompanyForm, await held.facts() if held else NO_COMPANY)
        # Business hours without a time zone of their own use the company's time zone.
        if held and held.time_zone != facts.time_zone:
            await recounting.begin()
        await Company.set_up(facts)
        if held is None:
            await seed_rule()
    return see_other("/agent/setup")


class LogoForm(Struct, kw_only=True):
    """Form of the logo.

    The image is an uploaded file and not a field. `form_key` identifies the form to which the upload belongs.
    """

    form_key: str = ""


@post("/setup/company/logo", guards=[admin_only])
@on_refusal(_company)
async def change_logo(request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Save the uploaded image as the company's logo, and redirect to the logo on the page of the company.

    Raise `Invalid` if no file was uploaded, or if the file is not a valid image.
    """
    form.into(LogoForm)
    if not form.files:
        raise Invalid({"logo": "Choose a picture of the kind PNG or SVG."})
    async with transaction(reader):
        await logo.change(await visit_of(request).storage.content(form.files[0].key, limit=MOST_LOGO_BYTES + 1))
    return see_other("/agent/setup/company#logo-part")


@post("/setup/company/logo/removal", guards=[admin_only])
async def remove_logo(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Remove the logo, so that pages and documents show the company's name instead; redirect to the company's page."""
    form.into(Nothing)
    async with transaction(reader):
        await logo.remove()
    return see_other("/agent/setup/company#logo-part")


handlers: list[Any] = [company, save_company, change_logo, remove_logo]
