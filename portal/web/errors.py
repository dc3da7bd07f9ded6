"""Turn every refusal and unexpected error into a page with the portal's layout, or into a fragment for htmx (R92)."""

from typing import Any
from urllib.parse import quote

import asyncpg
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from portal.database import refusal_of
from portal.errors import Conflict, Refusal, TooMany
from portal.render import render
from portal.web.form_pages import form_page
from portal.web.visit import Visit, Web, page_of, safe_path, visit_of, wants_fragment

log = structlog.get_logger("portal.web")

SENTENCES = {
    400: "This request cannot be read.",
    404: "There is nothing at this address.",
    405: "This address does not do that.",
    413: "This is too large.",
    500: "Something broke on our side.",
    503: "A part of the portal does not answer at the moment.",
}


STREAMS = ("/live", "/agent/live")
BY_ITSELF = ("/bar", "/bell", "/counts", "/feed", "/presence", "/standing")
"""The last parts of the URLs that a page requests by itself, and not because of what its reader did.

Without a session, these requests get 204, which htmx ignores. The page stays, because somebody may be typing on it.
"""


class SignInNeeded(Exception):
    """Raised if the request needs a session and nobody is signed in.

    `next_path` is the page to which signing in leads. `kept` is True if the text of the sent form was saved as a draft
    for that page.
    """

    def __init__(self, next_path: str, *, kept: bool = False) -> None:
        self.next_path = next_path
        self.kept = kept
        super().__init__(next_path)


class Detour(Exception):
    """Raised to redirect to the page `where` instead of serving this request."""

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(where)


def error_page(
    visit: Visit, status: int, sentence: str, *, fragment: bool, path: str, back: str = "", next_path: str = ""
) -> str:
    """Return the HTML of an error page or, if `fragment`, only the HTML of the error message `sentence`.

    `back` is the URL of a page to link to, besides the links that every error page has. `next_path` is the path to
    which signing in leads, if the reader follows the link to the sign-in page.
    """
    context: dict[str, Any] = {
        "status": status, "sentence": sentence, "request_id": visit.id, "reader": visit.reader, "company": visit.company, "rules": visit.rules,
        "csrf": visit.csrf, "nonce": visit.nonce, "path": path, "now": visit.at, "snapshot": visit.snapshot, "unread": visit.unread,
        "back": back, "next": next_path, "other_customers": visit.other_customers,
    }  # fmt: skip
    return render("errors/_refusal.html" if fragment else "errors/error.html", **context)


def refusal_response(request: Web, refusal: Refusal) -> Response[str]:
    """Return the response to a refusal, with its HTTP status and its message, as a page or as a fragment for htmx.

    If htmx is refused a live stream with 403 or 404, return the event `ended` instead, so that the page does not
    reconnect.
    """
    if request.scope["path"] in STREAMS and "hx-request" in request.headers and refusal.status in (403, 404):
        return _stream_is_over()  # Somebody else has signed in with this browser since the page was opened.
    extra = {"Retry-After": str(refusal.retry_after)} if isinstance(refusal, TooMany) else {}
    if refusal.status == 503:
        extra["Retry-After"] = "5"
    return _response(request, refusal.status, refusal.sentence, extra)


def http_response(request: Web, error: HTTPException) -> Response[str]:
    """Return the response to an error of Litestar: an unknown path, a wrong method or an unreadable body.

    A GET of a path that only accepts forms is redirected to the page of the form. That page's path is percent-encoded
    again, because the decoded path may contain line breaks, which would add headers to the response.
    """
    if error.status_code == 405 and request.method == "GET" and (page := form_page(request.app, request.scope["path"])):
        return Response("", status_code=303, headers={"Location": quote(page)})
    sentence = SENTENCES.get(error.status_code, SENTENCES[400] if error.status_code < 500 else SENTENCES[500])
    return _response(
        request,
        error.status_code,
        sentence,
        {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"},
    )


def failure_response(request: Web, error: Exception) -> Response[str]:
    """Log an unexpected error with its traceback and the request id, and return a 500 page without the traceback.

    Two kinds of database errors are not logged. If the database is away, busy or full, return 503. If a trigger raised
    the error with a text for the reader, return 409. Usually `transaction` turns these errors into refusals when the
    transaction ends. But the transaction of a read-only request ends after the handler, so its errors arrive here.
    """
    if refusal := refusal_of(error):
        return refusal_response(request, refusal)
    log.error("a request failed", exc_info=error, request=visit_of(request).id)
    return _response(request, 500, SENTENCES[500], {})


def unreadable_response(request: Web, error: asyncpg.DataError) -> Response[str]:
    """Return the response to a value that the database cannot read.

    A number out of range and a text with a NUL get 404, because nothing can exist under such an id. Any other value
    gets the 500 page, because the portal should have checked the value.
    """
    if "out of int" in str(error) or isinstance(error, asyncpg.CharacterNotInRepertoireError):
        return _response(request, 404, SENTENCES[404], {})
    return failure_response(request, error)


def conflict_response(request: Web, error: asyncpg.IntegrityConstraintViolationError) -> Response[str]:
    """Return 409 for a change that only a database constraint refused, although the code should have checked it before.

    The transaction has been rolled back, so nothing was saved. The error is logged, because the check is missing in the
    code.
    """
    log.error(
        "a constraint refused a write", exc_info=error, request=visit_of(request).id, constraint=error.constraint_name
    )
    return refusal_response(request, Conflict(_conflict_sentence(error)))


def _conflict_sentence(error: asyncpg.IntegrityConstraintViolationError) -> str:
    if isinstance(error, asyncpg.UniqueViolationError | asyncpg.ExclusionViolationError):
        return "Somebody else has saved the same already, so yours was not saved. Look at what is there now."
    if isinstance(error, asyncpg.ForeignKeyViolationError):
        return (
            "Something that this belongs to was removed, or is still in use, so nothing was saved. Load the page again."
        )
    return "This cannot be saved as it is, so nothing was saved. Check what you entered and send it again."


def sign_in_response(request: Web, needed: SignInNeeded) -> Response[Any]:
    """Return a redirect to the sign-in page, whose URL says where to go afterwards and whether a draft was saved."""
    next_path = safe_path(needed.next_path or "/")
    where = "/sign-in" if next_path == "/" else f"/sign-in?next={quote(next_path, safe='')}"
    if needed.kept:
        where += ("&" if "?" in where else "?") + "kept=yes"
    return _led_to(request, where)


def _stream_is_over() -> Response[Any]:
    return Response("event: ended\ndata:\n\n", media_type="text/event-stream")


def detour_response(request: Web, detour: Detour) -> Response[Any]:
    """Return a redirect to the page of the `Detour`, such as the page for setting up a second factor."""
    return _led_to(request, detour.where)


def _led_to(request: Web, where: str) -> Response[Any]:
    """Return a redirect to `where`, in the form that the browser or htmx follows.

    A request that a page made by itself is not redirected, because somebody may be typing on the page. A live stream
    ends, and any other request in `BY_ITSELF` gets 204.
    """
    if "hx-request" in request.headers:
        if request.scope["path"] in STREAMS:
            return _stream_is_over()
        if request.scope["path"].endswith(BY_ITSELF):
            return Response("", status_code=204)
        # htmx loads the new page instead of inserting it into the current page.
        return Response("", status_code=200, headers={"HX-Redirect": where})
    return Response("", status_code=303, headers={"Location": where})


def _response(request: Web, status: int, sentence: str, headers: dict[str, str]) -> Response[str]:
    fragment = wants_fragment(request)
    if fragment and request.method == "GET" and (status == 429 or status >= 500):
        headers = {**headers, "HX-Reswap": "none"}  # The region keeps its content; js/live.js fetches it again.
    path = request.scope["path"]
    back = page_of(request) if request.method == "POST" else ""
    # A page that is not found without a session may be found after signing in.
    query = request.scope["query_string"].decode("latin-1")  # `request.url` would fail for a host that is no host.
    asked = safe_path(f"{path}?{query}" if query else path)
    html = error_page(
        visit_of(request), status, sentence, fragment=fragment, path=path, back=back if back != "/" else "",
        next_path=asked if status == 404 and request.method == "GET" and asked != "/" else "",
    )  # fmt: skip
    return Response(html, status_code=status, media_type="text/html", headers=headers)


async def answer_refusal(refusal: Refusal, scope: Any, receive: Any, send: Any) -> None:
    """Send the response to a refusal that was raised before any route handler ran."""
    request: Web = Request(scope, receive, send)
    await answer(refusal_response(request, refusal), send)


async def answer_failure(error: Exception, scope: Any, receive: Any, send: Any) -> None:
    """Send the response to an unexpected error that was raised outside Litestar.

    Errors of handlers never arrive here.
    """
    request: Web = Request(scope, receive, send)
    await answer(failure_response(request, error), send)


async def answer(response: Response[Any], send: Any) -> None:
    """Send a text response directly over ASGI, for responses that are made outside Litestar."""
    body = (response.content or "").encode()
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.headers.items()]
    headers += [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": response.status_code or 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


HANDLERS: Any = {
    Refusal: refusal_response,
    HTTPException: http_response,
    SignInNeeded: sign_in_response,
    Detour: detour_response,
    asyncpg.DataError: unreadable_response,
    asyncpg.IntegrityConstraintViolationError: conflict_response,
    Exception: failure_response,
}
