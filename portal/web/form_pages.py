"""Where the form of an address stands that only takes forms: a refused form leaves such an address in the address bar, and Enter loads it."""

import re
from functools import lru_cache
from typing import Any

from litestar import Litestar
from litestar.routes import HTTPRoute

FORM_PAGE = "form_page"
"""A handler's `opt` of this name is the page that its form stands on, where that is no address above its own."""


def form_page(app: Litestar, path: str) -> str | None:
    """Return the page to load instead of `path`: the nearest address above it that can be read; None where no form is sent to `path`."""
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
    """Return each route with what its addresses look like; fixed addresses before those with parameters, as the router does."""
    routes = [route for route in app.routes if isinstance(route, HTTPRoute)]
    routes.sort(key=lambda route: "{" in route.path_format)
    return [(re.compile(re.sub(r"\\\{.*?\\\}", "[^/]+", re.escape(route.path_format))), route) for route in routes]
