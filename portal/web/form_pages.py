"""Find the page that contains a form, given the path that the form is sent to.

After a refusal, the browser's address bar shows the path that the form was sent to. The path accepts no GET: if the
reader loads it again, the response redirects to the form's page.
"""

import re
from functools import lru_cache
from typing import Any

from litestar import Litestar
from litestar.routes import HTTPRoute

FORM_PAGE = "form_page"
"""The key in a handler's `opt` for the path of the page that has the handler's form, if that is no parent path.

The path may contain path parameters of the route, as `{number}`.
"""


def form_page(app: Litestar, path: str) -> str | None:
    """Return the path of the page whose form is sent to `path`.

    This is the page that the handler names under `FORM_PAGE`, else the nearest parent path that is a page, else "/".
    Return None if no form is sent to `path`.
    """
    routes = _routes(app)
    found = ((pattern.fullmatch(path), route) for pattern, route in routes if "POST" in route.methods)
    match, sent_to = next(((match, route) for match, route in found if match), (None, None))
    if match is None or sent_to is None:
        return None
    named = sent_to.route_handler_map["POST"][0].opt.get(FORM_PAGE)
    if named:
        return str(named).format(**match.groupdict())
    while path := path.rpartition("/")[0]:
        if any(pattern.fullmatch(path) and "GET" in route.methods for pattern, route in routes):
            return path
    return "/"


@lru_cache(maxsize=4)
def _routes(app: Litestar) -> list[tuple[re.Pattern[str], Any]]:
    """Return each route with a regular expression for its paths; routes without parameters come first."""
    routes = [route for route in app.routes if isinstance(route, HTTPRoute)]
    routes.sort(key=lambda route: "{" in route.path_format)
    return [(_pattern(route.path_format), route) for route in routes]


def _pattern(path: str) -> re.Pattern[str]:
    """Return a regular expression that matches a route's path, with a named group for each path parameter."""
    return re.compile(re.sub(r"\\\{(.*?)\\\}", r"(?P<\1>[^/]+)", re.escape(path)))
