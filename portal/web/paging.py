"""Cut the lists of a page into pages of at most 100 rows, with links that keep the rest of the URL (R81)."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from portal.database.pages import Page
from portal.numbers import number_in
from portal.web.visit import Web, page_of, wants_fragment


class TurnedPage(Page):
    """A page of a list. `pages` has the variables of `shared/_pages.html`, which links to the other pages."""

    pages: dict[str, Any]


def in_pages(request: Web, rows: Sequence[Any], name: str = "page") -> TurnedPage:
    """Return the page of `rows` whose number is the query parameter `name`; the first page without one.

    Every template gets this function, for lists that are short enough to be read as a whole, such as the roles. On a
    page with several lists, each list has its own `name`, and the element around the list must have this name as its
    id, because the links to the other pages lead to that element. After a refused form, and when htmx reloads a part of
    the page, the parameter is taken from the URL of the page that the reader has open.
    """
    own = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    is_open = request.method == "GET" and not wants_fragment(request)
    here = urlsplit(own if is_open or page_of(request) == "/" else page_of(request))
    query = parse_qsl(here.query)
    page = TurnedPage.cut(rows, number_in(dict(query).get(name)))
    others = urlencode([(key, value) for key, value in query if key != name])
    links = page.links(f"{here.path}?{others}{'&' if others else ''}{name}=")
    if name != "page":
        turned = {side: f"{links[side]}#{name}" for side in ("previous", "next") if links[side]}
        links |= {"of": name, **turned}
    page.pages = links
    return page
