"""Build URLs of case pages that keep the place in the list from which the case was opened."""

from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl, urlencode

from portal.numbers import number_in
from portal.web.visit import Web

TOLD = ("before", "from", "sent", "held", "find", "canned", "snoozed")
"""The query parameters of a case's page that belong to one request only. The links on the page do not keep them."""


def place_of(request: Web, number: int | str, **told: object) -> str:
    """Return the path and query of the page of a case, or of a page below it.

    `number` is the number of the case; for a page below, the rest of its path follows, as in `12/snooze`. The query
    keeps the place in the list of cases that the request's URL has. `told` are additional query parameters.
    """
    return _at(f"/agent/cases/{number}", request, TOLD, told)


def next_place(request: Web, **told: object) -> str:
    """Return the path and query of the page of the case whose number is the query parameter `next` of the request.

    Without this parameter, as after the last case of a list, return the path and query of the page that lists cases.
    `told` are additional query parameters.
    """
    following = number_in(request.query_params.get("next"))
    path = f"/agent/cases/{following}" if following else "/agent/cases"
    return _at(path, request, (*TOLD, "next", "previous"), told)


def _at(path: str, request: Web, without: Collection[str], told: Mapping[str, object]) -> str:
    carried = [pair for pair in parse_qsl(request.url.query, keep_blank_values=True) if pair[0] not in without]
    query = urlencode([*carried, *told.items()])
    return f"{path}{'?' if query else ''}{query}"
