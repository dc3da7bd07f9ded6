"""Serve the suggestions of search fields, and read from a URL which suggestion was chosen."""

from litestar import Response

from portal.database.finder import Finder, Found
from portal.numbers import number_in
from portal.web.pages import page
from portal.web.visit import Web


async def suggested(request: Web, finder: Finder) -> Response[str]:
    """Return the options that a search field shows below what is typed: the rows whose names match `?text=`.

    `?after=` is the id after which to continue an earlier response.
    """
    typed = request.query_params.get("text", "")
    found = await finder.suggest(typed, number_in(request.query_params.get("after")))
    return page(request, "shared/suggestions.html", what=finder.what, typed=typed, suggestions=found)


async def asked(request: Web, name: str, finder: Finder) -> Found:
    """Return what was chosen in the search field `name`, from the query string of the URL.

    `?NAME=` is the id of the chosen row and `?NAME_typed=` the text in the field.
    """
    query = request.query_params
    return await finder.find(number_in(query.get(name)), query.get(f"{name}_typed"))
