"""Let people stop mails by the link in each mail, without signing in: by one click (RFC 8058), or on a page.

For the one click, the mail program sends a POST without a session, a CSRF token or an Origin header. Only this URL
accepts such a request (R37). The signed token in the URL names one person and some kinds of mail; the request stops
only mails of these kinds to this person.
"""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from portal.errors import NotFound
from portal.notices.unsubscribing import Unsubscription
from portal.web.pages import page
from portal.web.visit import Web, visit_of


def _answer(request: Web, template: str, *, status: int = 200, **context: Any) -> Response[str]:
    """Return a page whose URL browsers do not send as a referrer, because it contains the token (R41)."""
    answer = page(request, template, status=status, **context)
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


@get("/unsubscriptions/{token:str}")
async def show(request: Web, token: FromPath[str]) -> Response[str]:
    """Show which mails the link stops, with a button that stops them. A link that is not valid gets 404.

    A GET changes nothing, because some programs open every link.
    """
    try:
        stopped = Unsubscription.read(token, visit_of(request).settings.sealer)
    except NotFound:
        return _answer(request, "session/unsubscription_invalid.html", status=404)
    return _answer(request, "session/unsubscription.html", words=stopped.words, action=request.scope["path"])


async def _leave_body(_: Web) -> None:
    """Do not read the form before the handler, because the URL contains everything that is needed."""


@post("/unsubscriptions/{token:str}", before_request=_leave_body, status_code=200)
async def stop(request: Web, token: FromPath[str]) -> Response[str]:
    """Stop the mails that the link names, and return a page that says so. A link that is not valid gets 404.

    Mail programs expect no redirect, so the response is the page itself.
    """
    try:
        stopped = Unsubscription.read(token, visit_of(request).settings.sealer)
    except NotFound:
        return _answer(request, "session/unsubscription_invalid.html", status=404)
    await stopped.carry_out()
    return _answer(request, "session/unsubscribed.html", words=stopped.words)


handlers: list[Any] = [show, stop]
