"""Serve the suggestions of search fields, and read from a URL or a form which suggestion was chosen."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from litestar import Response

from portal.database.finder import Finder, Found, Suggestion, choosable
from portal.errors import Invalid
from portal.numbers import number_in
from portal.web.forms import Form
from portal.web.pages import page
from portal.web.visit import Web

__all__ = [
    "Finder",
    "Found",
    "Suggestion",
    "asked",
    "asked_several",
    "choosable",
    "chosen",
    "people_in",
    "picked",
    "settle",
    "shown",
    "suggested",
]


async def suggested(
    request: Web,
    finder: Finder,
    *,
    adds: str = "",
    describe: Callable[[Web, Sequence[Suggestion]], Awaitable[list[Suggestion]]] | None = None,
) -> Response[str]:
    """Return the options that a search field shows below the typed text: the rows whose names match the text.

    The query parameter `text` is the typed text. The query parameter `after` is the id of the last option that is shown
    already; the response continues after that option. With `adds`, the last option is a link to the form for a new row,
    whose URL is `adds` followed by the typed text. `describe` returns the found rows with another text (`about`) beside
    each name.
    """
    typed = request.query_params.get("text", "")
    found = await finder.suggest(typed, number_in(request.query_params.get("after")))
    if describe:
        found = found._replace(rows=await describe(request, found.rows))
    return page(
        request, "shared/suggestions.html", what=finder.what, sought_in=finder.sought_in, typed=typed, suggestions=found, adds=adds
    )  # fmt: skip


async def asked(request: Web, name: str, finder: Finder) -> Found:
    """Return what is chosen in the search field `name`, according to the query string.

    The query parameter `<name>` is the id of the chosen row, and `<name>_typed` is the text in the field.
    """
    query = request.query_params
    return await finder.find(number_in(query.get(name)), query.get(f"{name}_typed"))


async def asked_several(request: Web, finders: Mapping[str, Finder]) -> tuple[list[tuple[str, str]], dict[str, Found]]:
    """Return the query parameters with the new choices, as name-value pairs, and what each search field shows.

    Each search field adds one value to a filter that may have several values. The last query parameter with the
    filter's name comes from the search field and holds an id; the others were chosen before. If the id or the typed
    text finds a row, the id of that row replaces the last parameter, and the field is shown empty. Otherwise the last
    parameter is removed, and the field shows the typed text. If the query string has no parameter `<name>_typed`, the
    field is shown empty, and all parameters stay.
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
    """Return what the search fields of a form show, by field name, for the submitted or stored `values` of the form."""
    values = values or {}
    return {
        name: await finder.find(number_in(values.get(name)), values.get(f"{name}_typed"))
        for name, finder in finders.items()
    }


async def chosen(values: Mapping[str, Any], finders: Mapping[str, Finder]) -> dict[str, int | None]:
    """Return for each search field the id of the row that a submitted form chooses; None for a field left empty.

    Raise `Invalid` with a message for each field whose text or id matches no row, or whose text matches several.
    """
    found = await shown(values, finders)
    problems = {name: one.problem for name, one in found.items() if one.problem}
    for name, one in found.items():
        # Only an id was sent, without the text beside it, and no row has this id.
        if one.id is None and values.get(name) and f"{name}_typed" not in values:
            problems[name] = "Choose one from the list."
    if problems:
        raise Invalid(problems)
    return {name: one.id for name, one in found.items()}


async def picked(form: Form, name: str, finder: Finder) -> int | None:
    """Return the id of the row that a form chooses in the field `name`; None if nothing is chosen.

    The field is a select field or, if there are too many rows for one, a search field. Raise `Invalid` as `chosen` does
    for what was typed into a search field.
    """
    if f"{name}_typed" in form.fields:
        return (await chosen(form.typed, {name: finder}))[name]
    return number_in(form.get(name))


async def people_in(values: Mapping[str, Any] | None, finders: Mapping[str, Finder]) -> dict[str, Found]:
    """Return what the search fields for people show, by field name, for the submitted or stored `values` of a form.

    Each finder also finds people who have left. A person who has left is shown only if `values` has the person's id, as
    after an earlier choice; typing the name does not find the person. After an `Overtaken`, the result also has the
    name of the person whom somebody else has stored in the meantime.
    """
    values, people = values or {}, dict[str, Found]()
    for name, finder in finders.items():
        people[name] = await _person(values, name, finder)
        if name in values.get("theirs", {}) and (stored := number_in(values["theirs"][name])):
            row = await finder.named(stored)
            people[name] = replace(people[name], theirs=row.name if row else "")
    return people


async def _person(values: Mapping[str, Any], name: str, finder: Finder) -> Found:
    id, typed = number_in(values.get(name)), values.get(f"{name}_typed")
    if id is not None:
        found = await finder.find(id, typed)
        if found.id == id:
            return found
    return await choosable(finder).find(id, typed)


async def settle(form: Form, name: str, finder: Finder, stored: int | None = None) -> None:
    """Replace the values of a search field for people with the id of the chosen person, as a select field sends it.

    `finder` also finds people who have left. A form cannot newly choose a person who has left, but such a person stays
    chosen if their id is `stored` and the form still sends this id. A form that has a select field instead is not
    changed. Raise `Invalid` as `chosen` does.
    """
    if f"{name}_typed" not in form.fields:
        return
    found = await _person(form.typed, name, finder)
    if found.id is None or found.id != stored:
        found = Found((await chosen(form.typed, {name: choosable(finder)}))[name])
    form.fields[name] = [str(found.id or "")]
    del form.fields[f"{name}_typed"]
