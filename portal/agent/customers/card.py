"""Read the data of a customer's page: cases, projects, contracts with the hours used, and unpaid invoices."""

from itertools import groupby
from typing import Any

from portal import billing
from portal.contracts.contracts import Contract
from portal.contracts.services import Service
from portal.desk import Question, agents_list
from portal.people.readers import AgentReader
from portal.periods import today
from portal.timekeeping.projects import list_projects, used_by_contract
from portal.web.visit import Web, visit_of
from portal.words import CaseView, ProjectState

FEW = 5
"""The maximum number of active cases, of previous cases and of projects on the page of a customer."""


async def card_of(request: Web, reader: AgentReader, customer_id: int) -> dict[str, Any]:
    """Return the template variables of a customer's page: cases, open projects, contracts and unpaid invoices.

    `outstanding` (the sums owed) and `unpaid` are empty for agents who are not managers. `standings` is empty while
    time tracking is off. `more_projects` is True if the customer has more open projects than `projects` lists.
    """
    projects, following = await list_projects(state=ProjectState.OPEN, customer_id=customer_id)
    return {
        "active": await agents_list(reader, Question(customers=(customer_id,))),
        "previous": await agents_list(reader, Question(CaseView.CLOSED, customers=(customer_id,))),
        "projects": projects, "more_projects": following is not None, "few": FEW,
        "outstanding": await billing.outstanding(customer_id, reader),
        "unpaid": await billing.unpaid_of(customer_id, reader),
        **await _contracts(request, reader, customer_id),
    }  # fmt: skip


async def _contracts(request: Web, reader: AgentReader, customer_id: int) -> dict[str, Any]:
    """Return the template variables with the contracts and services of a customer, and how much of their time is used.

    `figures` maps contract ids to the billed and unbilled time, and `used` maps contract ids to the time of this month.
    `standings` maps service ids to the hours that are left. `past_end`, for managers only, maps contract ids to the
    numbers of invoices that charge fees for days after the end of the contract.
    """
    visit, services = visit_of(request), await Service.of(customer_id)
    figures = await billing.figures_of([service.id for service in services])
    by_contract = groupby(sorted(services, key=lambda one: one.contract_id), key=lambda one: one.contract_id)
    day = today(reader.time_zone, visit.at)
    company_day = today(visit.company.time_zone, visit.at)
    contracts = await Contract.of(customer_id)
    may_credit = reader.is_manager and any(contract.end_on for contract in contracts)
    standings = await billing.standings(reader, customer_id, company_day) if visit.rules.tracks_time else []
    return {
        "contracts": contracts, "services": services, "day": day,
        "figures": {contract: billing.added(figures[one.id] for one in of) for contract, of in by_contract},
        "standings": {standing.service.id: standing for standing in standings},
        "past_end": await billing.invoices_past_end(customer_id) if may_credit else {},
        "used": await used_by_contract(customer_id, day),
    }  # fmt: skip
