"""A form that arrives after its session ended: its text becomes the person's draft, and the person is asked to sign in again."""

from typing import Any

from litestar import Request

from portal.web import drafts, forms
from portal.web.errors import SignInNeeded, answer, sign_in_response
from portal.web.visit import Visit, page_of


async def keep_and_sign_in(visit: Visit, scope: Any, receive: Any, send: Any) -> None:
    """Answer 303 to the sign-in page, and from there back to the page that held the form. Files are not kept."""
    request: Request[Any, Any, Any] = Request(scope, receive, send)
    form = await forms.read_text(visit, request)
    if visit.session and request.scope["path"] not in ("/drafts", "/sign-out"):
        await drafts.keep(
            visit.session.credential_id, request.scope["path"], form.fields, visit.at, had_files=form.had_files
        )
    await answer(sign_in_response(request, SignInNeeded(page_of(request), kept=True)), send)
