"""Serve the pages that try out a contract: what work would cost, and what a year would have cost under other terms.

Only managers may open these pages, and neither page writes anything to the database.
"""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.setup.pages import form_page
from portal.billing import TriedTerms, TriedWork, history_of, last_year, price_of, read_offer, tried
from portal.contracts.contracts import Contract
from portal.contracts.rates import role_priced_first
from portal.contracts.services import Service
from portal.errors import Invalid
from portal.people.agents import Agent
from portal.people.customers import Customer
from portal.people.offered import choices
from portal.people.readers import AgentReader
from portal.people.roles import Role
from portal.periods import today
from portal.web.guards import manager_only
from portal.web.visit import Web, visit_of


def _asked(request: Web, fields: type[Struct]) -> dict[str, str]:
    """Return the query parameters whose names are fields of the form `fields`; {} if the form was not sent."""
    names = fields.__struct_fields__
    return {name: value for name, value in request.query_params.items() if name in names}


async def _page(
    request: Web, template: str, contract: Contract, errors: dict[str, str], **context: Any
) -> Response[str]:
    reader: Any = visit_of(request).reader
    response = await form_page(
        request, template, contract=contract, customer=await Customer.find(contract.customer_id, reader),
        services=await Service.of_contract(contract.id), errors=errors, **context,
    )  # fmt: skip
    response.status_code = Invalid.status if errors else 200
    return response


@get("/contracts/{contract:int}/price", guards=[manager_only])
async def show_price(request: Web, reader: NamedDependency[AgentReader], contract: FromPath[int]) -> Response[str]:
    """Show a form for a piece of work and, once the form is sent, what the work would cost under the contract, and why.

    The fields of the form are query parameters. If a parameter is not valid, the page shows an error message and has
    the status 422.
    """
    visit = visit_of(request)
    found, asked = await Contract.find(contract, reader), _asked(request, TriedWork)
    answer, errors = None, dict[str, str]()
    if asked:
        try:
            answer = await price_of(found, TriedWork(**{"service": "", "day": "", "duration": ""} | asked), visit.at)
        except Invalid as refusal:
            errors = refusal.fields
    day = today(visit.company.time_zone, visit.at)
    roles = choices(await Role.all_by_name())
    return await _page(
        request, "agent/contracts/price.html", found, errors, typed=asked or {}, answer=answer, roles=roles,
        usual=dict(roles).get(await role_priced_first(found, day) or 0), agents=choices(await Agent.offered()), today=day,
    )  # fmt: skip


@get("/contracts/{contract:int}/trial", guards=[manager_only])
async def show_trial(request: Web, reader: NamedDependency[AgentReader], contract: FromPath[int]) -> Response[str]:
    """Show what the last twelve months of the contract would have cost under other terms, and what they really cost.

    The terms are query parameters; without them, only the form and the real cost are shown. If a parameter is not
    valid, the page shows an error message and has the status 422. If the contract was not in force in these months,
    nothing is computed.
    """
    visit = visit_of(request)
    found, asked = await Contract.find(contract, reader), _asked(request, TriedTerms)
    trial, errors = None, dict[str, str]()
    history = await history_of(found.customer_id, [found.id], last_year(today(visit.company.time_zone, visit.at)))
    if asked and history:
        try:
            terms = TriedTerms(**asked)
            offer = read_offer(terms, history.digits, zone=history.zone, days_off=history.days_off)
            trial = await tried(history, offer)
        except Invalid as refusal:
            errors = refusal.fields
    return await _page(
        request, "agent/contracts/trial.html", found, errors, typed=asked or {}, trial=trial, history=history,
    )  # fmt: skip


handlers: list[Any] = [show_price, show_trial]
