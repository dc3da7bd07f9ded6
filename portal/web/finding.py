"""Serve the suggestions of search fields, and read from a URL which suggestion was chosen."""

from collections.abc import Mapping
from typing import Any

from litestar import Response

from portal.database.finder import Finder, Found
from portal.errors import Invalid
from portal.numbers import number_in
from portal.web.pages import page
from portal.web.visit import Web

__all__ = ["Found", "asked", "suggested"]


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


async def shown(values: Mapping[str, Any] | None, finders: Mapping[str, Finder]) -> dict[str, Found]:
    """Return what the search fields of a form show, by field name, given the values that were sent or stored."""
    values = values or {}
    return {
        name: await finder.find(number_in(values.get(name)), values.get(f"{name}_typed"))
        for name, finder in finders.items()
    }


async def chosen(values: Mapping[str, Any], finders: Mapping[str, Finder]) -> dict[str, int | None]:
    """Return the id of what was chosen in each search field of a sent form, or None where the field was left empty.

    Raise `Invalid` with a sentence for each field whose text or id stands for no row, or for several.
    """
    found = await shown(values, finders)
    problems = {name: one.problem for name, one in found.items() if one.problem}
    for name, one in found.items():
        # Only an id was sent, without the text beside it, and no row has it.
        if one.id is None and values.get(name) and f"{name}_typed" not in values:
            problems[name] = "Choose one from the list."
    if problems:
        raise Invalid(problems)
    return {name: one.id for name, one in found.items()}
