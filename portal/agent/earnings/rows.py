"""Read from a URL how a list of figures is grouped, and cut its rows into pages."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from portal.billing import By
from portal.numbers import number_in

PAGE = 100
"""The maximum number of rows on one page."""


def by_in(query: Mapping[str, str], offered: tuple[By, ...]) -> By:
    """Return the grouping of `offered` that `?by=` in `query` names, by default the first of `offered`."""
    return next((one for one in offered if one == query.get("by")), offered[0])


def query_of(**values: object) -> str:
    """Return the values as a query string that begins with a question mark. Values such as None and "" are left out."""
    return "?" + urlencode({name: value for name, value in values.items() if value})


def paged(rows: Mapping[Any, Any], query: Mapping[str, str], address: str, **values: object) -> dict[str, Any]:
    """Return the template variables of one page: its `rows`, the `count` of all rows, and the page links (`turning`).

    `?after=` in `query` is the number of rows before the page. `address` is the URL of the page without its query
    string, and `values` are the query parameters that the links keep.
    """
    after = min(number_in(query.get("after")) or 0, max(len(rows) - 1, 0))
    following = after + PAGE if len(rows) > after + PAGE else None
    return {
        "rows": list(rows.items())[after : after + PAGE],
        "count": len(rows),
        "turning": {
            "turned": after > 0,
            "first": address + query_of(**values),
            "next": address + query_of(**values, after=following) if following else "",
            "back": "First page",
            "on": "Next page",
        },
    }
