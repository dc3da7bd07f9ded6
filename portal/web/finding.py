"""The web's side of finding by typing: the answer with suggestions, and what an address asks for."""

from litestar import Response

from portal.database.finder import Finder, Found
from portal.numbers import number_in
from portal.web.pages import page
from portal.web.visit import Web


async def suggested(request: Web, finder: Finder) -> Response[str]:
    """Answer the suggestions for `?text=` as options of a list box; `after` goes on from the last one that was shown."""
    typed = request.query_params.get("text", "")
    found = await finder.suggest(typed, number_in(request.query_params.get("after")))
    return page(request, "shared/suggestions.html", what=finder.what, typed=typed, suggestions=found)


async def asked(request: Web, name: str, finder: Finder) -> Found:
    """Return what an address asks for by `?NAME=` (an id) and `?NAME_typed=` (what stands in the field)."""
    query = request.query_params
    return await finder.find(number_in(query.get(name)), query.get(f"{name}_typed"))
