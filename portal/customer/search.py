"""Serve a contact's search over the cases, files, articles, invoices and credit notes that they may see."""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from portal.people.readers import ContactReader
from portal.web.limits import searching, suggesting
from portal.web.pages import page, see_other
from portal.web.search import Results, leads
from portal.web.visit import Web


@get("/search")
async def search(request: Web, reader: NamedDependency[ContactReader]) -> Response[Any]:
    """Show what the search for the query parameter `q` finds (`Results.of`).

    If `q` is a case number with a `#`, such as `#1042`, and the contact may see this case, redirect to the case.
    """
    async with searching(request, request.query_params.get("q", "")):
        found = await Results.of(request, reader)
        if found.leads_to:
            return see_other(f"/cases/{found.leads_to}")
        return page(request, "customer/search/show.html", found=found)


@get("/search/suggestions")
async def suggest(request: Web, reader: NamedDependency[ContactReader]) -> Response[str]:
    """Return, as HTML, the cases to suggest (`leads`) for the text typed so far: the query parameter `text`."""
    text = request.query_params.get("text", "")
    async with suggesting(request, text):
        found, nothing = await leads(text, reader)
        return page(request, "shared/suggestions.html", suggestions={"rows": found, "after": None}, nothing=nothing)


handlers: list[Any] = [search, suggest]
