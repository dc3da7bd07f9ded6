"""Find the page of a form from the path that the form is sent to.

A refused form leaves its path in the address bar, and pressing Enter there loads it with GET.
"""

import re
from functools import lru_cache
from typing import Any

from litestar import Litestar
from litestar.routes import HTTPRoute

FORM_PAGE = "form_page"
"""The key in a handler's `opt` that names the page of its form, where that is not at a parent path."""


def form_page(app: Litestar, path: str) -> str | None:
    """Return the page to load instead of `path`: its nearest readable parent; None where `path` takes no form."""
    routes = _routes(app)
    sent_to = next((route for pattern, route in routes if pattern.fullmatch(path) and "POST" in route.methods), None)
    if sent_to is None:
        return None
    named = sent_to.route_handler_map["POST"][0].opt.get(FORM_PAGE)
    if named:
        return str(named)
    while path := path.rpartition("/")[0]:
        if any(pattern.fullmatch(path) and "GET" in route.methods for pattern, route in routes):
            return path
    return "/"


@lru_cache(maxsize=4)
def _routes(app: Litestar) -> list[tuple[re.Pattern[str], Any]]:
    """Return each route with a pattern of its paths; fixed paths come before those with parameters, as in routing."""
    routes = [route for route in app.routes if isinstance(route, HTTPRoute)]
    routes.sort(key=lambda route: "{" in route.path_format)
    return [(re.compile(re.sub(r"\\\{.*?\\\}", "[^/]+", re.escape(route.path_format))), route) for route in routes]
