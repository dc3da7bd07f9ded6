"""Stop mails by the link in them, without a sign-in: with one click in the mail program (RFC 8058), or on a page.

The mail program sends a POST without a session, a CSRF token or an Origin header, so this URL alone is left out of those
checks (R37). Its token is signed, and stops only mails of the kinds that it names, to the person whom it names.
"""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from portal.errors import NotFound
from portal.notices.unsubscribing import Unsubscription
from portal.web.pages import page
from portal.web.visit import Web, visit_of


def _answer(request: Web, template: str, *, status: int = 200, **context: Any) -> Response[str]:
    """Return a page whose URL no request names as its referrer, because it contains the token (R41)."""
    answer = page(request, template, status=status, **context)
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


@get("/unsubscriptions/{token:str}")
async def show(request: Web, token: FromPath[str]) -> Response[str]:
    """Show what the link stops, and a button that stops it. Programs that open every link in a mail change nothing."""
    try:
        stopped = Unsubscription.read(token, visit_of(request).settings.sealer)
    except NotFound:
        return _answer(request, "session/unsubscription_invalid.html", status=404)
    return _answer(request, "session/unsubscription.html", words=stopped.words, action=request.scope["path"])


async def _leave_body(_: Web) -> None:
    """Read no form before the handler: what a mail program sends says nothing that the URL does not say."""


@post("/unsubscriptions/{token:str}", before_request=_leave_body, status_code=200)
async def stop(request: Web, token: FromPath[str]) -> Response[str]:
    """Stop the mails that the link names. Mail programs expect no redirect, so the response is the page itself."""
    try:
        stopped = Unsubscription.read(token, visit_of(request).settings.sealer)
    except NotFound:
        return _answer(request, "session/unsubscription_invalid.html", status=404)
    await stopped.carry_out()
    return _answer(request, "session/unsubscribed.html", words=stopped.words)


handlers: list[Any] = [show, stop]
