"""Serve the suggestions of type-ahead fields, in which agents type the name of what they choose.

`portal/database/finder.py` defines what each field finds.
"""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.agent.finding.away import with_absences
from portal.contracts.contracts import CONTRACTS
from portal.contracts.projects import PROJECTS
from portal.contracts.services import SERVICES
from portal.contracts.tasks import TASKS
from portal.desk import Case
from portal.desk.lists.naming import suggest_cases
from portal.desk.tagging.tags import TAGS
from portal.desk.verbs.linking import linked_ids
from portal.numbers import number_in
from portal.people.agents import AGENTS, COLLEAGUES, MANAGERS
from portal.people.contact_search import CALLERS, contacts_of
from portal.people.customers import CUSTOMERS, Customer
from portal.people.departments import DEPARTMENTS
from portal.people.readers import AgentReader
from portal.web.finding import choosable, suggested
from portal.web.limits import searching
from portal.web.pages import page
from portal.web.visit import Web, visit_of


@get("/finders/customers")
async def suggest_customers(request: Web) -> Response[str]:
    """Serve customers whose names match the typed text; ended customers come last."""
    return await suggested(request, CUSTOMERS)


@get("/finders/agents")
async def suggest_agents(request: Web) -> Response[str]:
    """Serve agents whose names match the typed text; agents who have left come last."""
    return await suggested(request, AGENTS)


@get("/finders/colleagues")
async def suggest_colleagues(request: Web) -> Response[str]:
    """Serve agents who have not left and whose names match the typed text, such as for mentioning them in a note.

    If an agent is away today, the suggestion says until when the agent is away.
    """
    return await suggested(request, COLLEAGUES, describe=with_absences)


@get("/finders/managers")
async def suggest_managers(request: Web) -> Response[str]:
    """Serve managers who have not left and whose names match the typed text."""
    return await suggested(request, choosable(MANAGERS))


@get("/finders/departments")
async def suggest_departments(request: Web) -> Response[str]:
    """Serve departments whose names match the typed text."""
    return await suggested(request, DEPARTMENTS)


@get("/finders/callers")
async def suggest_callers(request: Web) -> Response[str]:
    """Serve contacts who match the typed text, and a link for a new contact.

    Each word of the text has to occur in the contact's name, telephone number or mail address, or in the customer's
    name.
    """
    return await suggested(request, CALLERS, adds="/agent/cases/new?new=")


@get("/finders/contacts/{number:str}")
async def suggest_contacts(request: Web, reader: NamedDependency[AgentReader], number: FromPath[str]) -> Response[str]:
    """Serve contacts whose names match the typed text, among the contacts of a case's customer."""
    case = await Case.find(number, reader)
    return await suggested(request, contacts_of(case.customer_id))


@get("/finders/customers/{customer:int}/contacts")
async def suggest_contacts_of_customer(
    request: Web, reader: NamedDependency[AgentReader], customer: FromPath[int]
) -> Response[str]:
    """Serve contacts whose names match the typed text, among the contacts of a customer."""
    return await suggested(request, contacts_of((await Customer.find(customer, reader)).id))


@get("/finders/contracts")
async def suggest_contracts(request: Web) -> Response[str]:
    """Serve contracts whose names match the typed text; ended contracts come last."""
    return await suggested(request, CONTRACTS)


@get("/finders/services")
async def suggest_services(request: Web) -> Response[str]:
    """Serve services whose name or customer matches the typed text; services of ended customers come last."""
    return await suggested(request, SERVICES)


@get("/finders/projects")
async def suggest_projects(request: Web) -> Response[str]:
    """Serve projects whose names match the typed text; projects that are done come last."""
    return await suggested(request, PROJECTS)


@get("/finders/tasks")
async def suggest_tasks(request: Web) -> Response[str]:
    """Serve tasks whose names match the typed text; ended tasks come last."""
    return await suggested(request, TASKS)


@get("/finders/tags")
async def suggest_tags(request: Web) -> Response[str]:
    """Serve tags whose names match the typed text."""
    return await suggested(request, TAGS)


@get("/finders/cases")
async def suggest_any_case(request: Web) -> Response[str]:
    """Serve cases whose number, subject, contact or customer matches the typed text."""
    return await _suggest_cases(request)


@get("/finders/cases/{number:str}")
async def suggest_other_cases(
    request: Web, reader: NamedDependency[AgentReader], number: FromPath[str]
) -> Response[str]:
    """Serve cases as `suggest_any_case` does, among the other cases of a case's customer."""
    case = await Case.find(number, reader)
    return await _suggest_cases(request, customer_id=case.customer_id, without={case.id})


@get("/finders/cases/{number:str}/links")
async def suggest_cases_to_link(
    request: Web, reader: NamedDependency[AgentReader], number: FromPath[str]
) -> Response[str]:
    """Serve cases as `suggest_any_case` does, without the given case and the cases that are already linked with it."""
    case = await Case.find(number, reader)
    return await _suggest_cases(request, without={case.id} | await linked_ids(case))


async def _suggest_cases(request: Web, **among: Any) -> Response[str]:
    reader: Any = visit_of(request).reader
    typed = request.query_params.get("text", "")
    async with searching(request, typed):
        found = await suggest_cases(reader, typed, after=number_in(request.query_params.get("after")) or 0, **among)
    nothing = f"No case has “{typed}” in its number, subject or names" if typed else "There is no other open case"
    return page(request, "shared/suggestions.html", nothing=nothing, typed=typed, suggestions=found)


handlers: list[Any] = [
    suggest_customers, suggest_agents, suggest_colleagues, suggest_managers, suggest_callers, suggest_contacts, suggest_contacts_of_customer,
    suggest_contracts, suggest_services, suggest_projects, suggest_tasks, suggest_tags, suggest_departments, suggest_any_case, suggest_other_cases,
    suggest_cases_to_link,
]  # fmt: skip
