"""Cut the lists of a page into pages of at most 100 rows, with links that keep the rest of the URL (R81)."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from portal.database.pages import Page
from portal.numbers import number_in
from portal.web.visit import Web, page_of, wants_fragment


class TurnedPage(Page):
    """A page of a list. `pages` has the variables of `shared/_pages.html`, which links to the other pages."""

    pages: dict[str, Any]


def in_pages(request: Web, rows: Sequence[Any], name: str = "page") -> TurnedPage:
    """Return the page of `rows` whose number is the query parameter `name`; the first page if the parameter is missing.

    Every template gets this function, for lists that are short enough to be read from the database as a whole, such as
    the roles. If a page has several lists, each list has its own `name`, and the element around the list must have this
    name as its id, because the links to the other pages of the list lead to that element. After a refused form, and
    when htmx reloads a part of the page, the parameter is taken from the URL of the page that the reader has open.
    """
    path = _open(request).path
    page = TurnedPage.cut(rows, turned_to(request, path, name))
    page.pages = links_of(request, path, page, name)
    return page


def turned_to(request: Web, path: str, name: str = "page") -> int | None:
    """Return the page number in the query parameter `name` if the reader has the page at `path` open, or None."""
    return number_in(dict(_query_of(request, path)).get(name))


def links_of(request: Web, path: str, page: Page, name: str = "page") -> dict[str, Any]:
    """Return the variables of `shared/_pages.html` for `page`, a part of a list on the page at `path`.

    If the reader has that page open, its links change only the query parameter `name`.
    """
    others = urlencode([(key, value) for key, value in _query_of(request, path) if key != name])
    links = page.links(f"{path}?{others}{'&' if others else ''}{name}=")
    if name != "page":
        turned = {side: f"{links[side]}#{name}" for side in ("previous", "next") if links[side]}
        links |= {"of": name, **turned}
    return links


def _query_of(request: Web, path: str) -> list[tuple[str, str]]:
    """Return the query parameters with which the reader has the page at `path` open; none if another page is open."""
    here = _open(request)
    return parse_qsl(here.query) if here.path == path else []


def _open(request: Web) -> SplitResult:
    """Return the URL of the page that the reader has open, also after a refused form or for a part of the page."""
    own = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    is_open = request.method == "GET" and not wants_fragment(request)
    return urlsplit(own if is_open or page_of(request) == "/" else page_of(request))
