"""Serve the suggestions of search fields, and read from a URL which suggestion was chosen."""

from collections.abc import Callable, Mapping
from typing import Any

from litestar import Response

from portal.database.finder import Finder, Found
from portal.errors import Invalid
from portal.numbers import number_in
from portal.web.pages import page
from portal.web.visit import Web

__all__ = ["Found", "asked", "asked_several", "suggested"]


async def suggested(request: Web, finder: Finder, *, read: Callable[[str], str] = str) -> Response[str]:
    """Return the options that a search field shows below what is typed: the rows whose names match `?text=`.

    `?after=` is the id after which to continue an earlier response. `read` makes of what was typed the text to search.
    """
    typed = request.query_params.get("text", "")
    found = await finder.suggest(read(typed), number_in(request.query_params.get("after")))
    return page(request, "shared/suggestions.html", what=finder.what, typed=typed, suggestions=found)


async def asked(request: Web, name: str, finder: Finder, *, read: Callable[[str], str] = str) -> Found:
    """Return what was chosen in the search field `name`, from the query string of the URL.

    `?NAME=` is the id of the chosen row and `?NAME_typed=` the text in the field; `read` is as in
    `suggested`.
    """
    query = request.query_params
    typed = query.get(f"{name}_typed")
    return await finder.find(number_in(query.get(name)), typed if typed is None else read(typed))


async def asked_several(request: Web, finders: Mapping[str, Finder]) -> tuple[list[tuple[str, str]], dict[str, Found]]:
    """Return the query string of the URL as pairs, with what was typed in the search fields added, and what fields show.

    Each search field adds one more value to a filter of several. It comes after the values that the filter has already,
    so that the last value of its name is the field's own. A field shows nothing once its value has been added.
    """
    pairs, shown = list(request.query_params.multi_items()), dict.fromkeys(finders, Found())
    for name, finder in finders.items():
        typed = request.query_params.get(f"{name}_typed")
        if typed is None:
            continue
        own = [place for place, pair in enumerate(pairs) if pair[0] == name]
        found = await finder.find(number_in(pairs.pop(own[-1])[1]) if own else None, typed)
        if found.id is None:
            shown[name] = found
        else:
            pairs.append((name, str(found.id)))
    return pairs, shown


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
