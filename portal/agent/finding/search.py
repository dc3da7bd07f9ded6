"""Serve the agents' search over cases, customers, contacts, files, articles, invoices and credit notes."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from portal.agent.pages import agent_page
from portal.numbers import number_in
from portal.people.contact_search import found_contacts
from portal.people.customers import CUSTOMERS, Customer
from portal.people.readers import AgentReader
from portal.web.limits import searching, suggesting
from portal.web.pages import page, see_other
from portal.web.search import FEW, MANY, Lead, Results, leads
from portal.web.visit import Web

MOST_CUSTOMERS = 3
"""The maximum number of customers that are suggested for a text in the search field."""


@get("/search")
async def search(request: Web, reader: NamedDependency[AgentReader]) -> Response[Any]:
    """Show what `?q=` finds (`Results.of`). If `?q=` is a `#` and the number of a case, redirect to this case."""
    async with searching(request, request.query_params.get("q", "")):
        found = await Results.of(request, reader)
        if found.leads_to:
            return see_other(f"/agent/cases/{found.leads_to}")
        found.more = await _people(found, request.query_params.get("after"))
        return await agent_page(request, reader, "agent/search/show.html", found=found)


@get("/search/suggestions")
async def suggest(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Serve suggestions for `?text=`, the text in the search field: the cases and customers that match.

    Without a text, suggest the cases that the agent has lately opened.
    """
    text = request.query_params.get("text", "")
    async with suggesting(request, text):
        found, nothing = await leads(text, reader)
        customers = (await CUSTOMERS.suggest(text)).rows[:MOST_CUSTOMERS] if any(map(str.isalnum, text)) else []
        named = [Lead(f"/agent/customers/{one.id}", one.name, "customer") for one in customers]
        return page(
            request, "shared/suggestions.html", suggestions={"rows": named + found, "after": None}, nothing=nothing
        )


async def _people(found: Results, after: str | None) -> dict[str, Any]:
    """Return the customers and contacts that match the searched text; `next_contact` is the cursor of more contacts.

    If the page shows only one kind of result, return no customers, and return contacts only if that kind is contacts.
    """
    asked, size = found.asked, MANY if found.kind else FEW
    people: dict[str, Any] = {"customers": [], "contacts": [], "next_contact": None}
    if asked.parts and not found.kind:
        people["customers"] = await Customer.listed(asked.text)
    if asked.parts and found.shows("contacts"):
        part = asked.parts[0] if len(asked.parts) == 1 else None
        rows = await found_contacts(
            asked.query, part.mail if part else "", part.digits if part else "", after=number_in(after), limit=size + 1
        )
        people |= {"contacts": rows[:size], "next_contact": rows[size - 1]["id"] if len(rows) > size else None}
    return people


handlers: list[Any] = [search, suggest]
