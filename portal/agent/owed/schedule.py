"""Serve the set-up page for billing on schedule. Only admins may open it."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.setup.pages import form_page
from portal.billing import BillingSchedule, ScheduleFacts, leave_out, left_out, stands_still, take_in
from portal.billing.running.schedule import CYCLES, OUTCOMES, WEEK_DAYS
from portal.database import transaction
from portal.errors import Invalid
from portal.people.customers import CUSTOMERS
from portal.people.readers import AgentReader
from portal.periods import today
from portal.web.edits import edited
from portal.web.finding import chosen, shown
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of

PATH = "/agent/setup/billing"


@get("/setup/billing", guards=[admin_only])
async def show_schedule(request: Web) -> Response[str]:
    """Show the form with the schedule of billing runs, and one page of the excluded customers (`?after=`)."""
    return await _schedule(request)


async def _schedule(request: Web, **again: Any) -> Response[str]:
    visit, schedule = visit_of(request), await BillingSchedule.find()
    found = await shown(again.get("typed"), {"customer": CUSTOMERS})
    return await form_page(
        request, "agent/setup/schedule.html", facts=schedule.facts, cycles=CYCLES, outcomes=OUTCOMES,
        week_days=list(enumerate(WEEK_DAYS, 1)), next_day=schedule.day_after(today(visit.company.time_zone, visit.at)),
        problem=await stands_still(schedule), left_out=await left_out(request.query_params.get("after", "")),
        turned="after" in request.query_params, customer=found["customer"], **again,
    )  # fmt: skip


@post("/setup/billing", guards=[admin_only])
@on_refusal(_schedule)
async def change_schedule(
    reader: NamedDependency[AgentReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Save when billing runs begin automatically and what they create, and redirect to the schedule.

    The runs bill in the name of the admin who has saved the schedule last.
    """
    async with transaction(reader):
        stored = await BillingSchedule.find(hold=True)
        await BillingSchedule.change(edited(form, ScheduleFacts, stored.facts), by=reader, at=at)
    return see_other(PATH)


class LeftOutForm(Struct, kw_only=True):
    """Form that excludes a customer from scheduled runs: the customer's id, and the text in the search field."""

    customer: str = ""
    customer_typed: str = ""


@post("/setup/billing/customers", guards=[admin_only])
@on_refusal(_schedule)
async def leave_customer_out(reader: NamedDependency[AgentReader], form: NamedDependency[Form]) -> Response[Any]:
    """Exclude a customer from scheduled billing runs, and redirect to the schedule.

    Raise `Invalid` if no customer is chosen.
    """
    form.into(LeftOutForm)
    async with transaction(reader):
        customer = (await chosen(form.typed, {"customer": CUSTOMERS}))["customer"]
        if customer is None:
            raise Invalid({"customer": "Choose the customer."})
        await leave_out(customer)
    return see_other(PATH)


@post("/setup/billing/customers/{customer_id:int}/removal", guards=[admin_only])
async def take_customer_in(reader: NamedDependency[AgentReader], customer_id: FromPath[int]) -> Response[Any]:
    """Include a customer in scheduled billing runs again, and redirect to the schedule."""
    async with transaction(reader):
        await take_in(customer_id)
    return see_other(PATH)


handlers: list[Any] = [show_schedule, change_schedule, leave_customer_out, take_customer_in]
