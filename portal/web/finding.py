"""The web's side of finding by typing: the answer with suggestions, and what an address asks for."""

from typing import Any

from litestar import Request, Response

from portal.database.finder import Finder, Found
from portal.web.pages import page


async def suggested(request: Request[Any, Any, Any], finder: Finder) -> Response[str]:
    """Answer the suggestions for `?text=` as options of a list box; `after` goes on from the last one that was shown."""
    typed = request.query_params.get("text", "")
    found = await finder.suggest(typed, _id(request.query_params.get("after")))
    return page(request, "shared/suggestions.html", what=finder.what, typed=typed, suggestions=found)


async def asked(request: Request[Any, Any, Any], name: str, finder: Finder) -> Found:
    """Return what an address asks for by `?NAME=` (an id) and `?NAME_typed=` (what stands in the field)."""
    query = request.query_params
    return await finder.find(_id(query.get(name)), query.get(f"{name}_typed"))


def _id(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
