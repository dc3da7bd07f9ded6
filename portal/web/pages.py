"""Answers: pages and fragments from templates, redirects after a write, downloads."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import quote

from litestar import Request, Response
from litestar.response import Redirect, Stream

from portal.database import transaction
from portal.desk.messages import SentBefore
from portal.errors import Invalid, TooMany
from portal.render import render
from portal.web import drafts
from portal.web.edits import Overtaken
from portal.web.forms import Form
from portal.web.headers import SANDBOX
from portal.web.visit import visit_of

HTML = "text/html"


def page(request: Request[Any, Any, Any], template: str, *, status: int = 200, **context: Any) -> Response[str]:
    """A page, or a fragment (`_x.html`). Beside `context` it has: reader, company, csrf, nonce, path, now, snapshot, errors, typed."""
    visit = visit_of(request)
    given = {"errors": {}, "typed": {}} | context
    html = render(
        template,
        reader=visit.reader,
        company=visit.company,
        csrf=visit.csrf,
        nonce=visit.nonce,
        path=request.scope["path"],
        now=visit.at,
        snapshot=visit.snapshot,
        **given,
    )
    return Response(html, status_code=status, media_type=HTML)


def turned(request: Request[Any, Any, Any], *lists: str) -> dict[str, str]:
    """Which of a page's lists the reader has turned over, and after which row: `{"drafts": "12"}`; empty where all begin at their first row."""
    return next(({name: value} for name in lists if (value := request.query_params.get(name))), {})


async def refused(
    request: Request[Any, Any, Any],
    show: Callable[..., Awaitable[Response[str]]],
    refusal: Invalid | TooMany,
    form: Form,
    **values: Any,
) -> Response[str]:
    """Return the form's page again, with the refusal's status: 422, 409 where somebody else was faster (`Overtaken`), or 429 with the
    seconds to wait in `Retry-After`.

    `show(request, errors=..., typed=..., **values)` runs in a read-only transaction of the reader. `errors` maps fields to sentences ("" is
    the whole form), `typed` is what was sent. A form with a key is kept as a draft, with its files, so that its address can be loaded.
    """
    visit = visit_of(request)
    if visit.reader and form.key:
        if isinstance(refusal, SentBefore):
            await form.begin_anew(visit.reader)
        address = drafts.address_of(request, form.key)
        await drafts.keep(visit.reader.credential_id, address, form.fields, visit.at)
    async with transaction(visit.reader, readonly=True):
        typed = form.typed
        typed |= refusal.typed if isinstance(refusal, Overtaken) else {}
        response = await show(request, errors=_errors_of(refusal), typed=typed, **values)
    return _marked(response, refusal)


def _errors_of(refusal: Invalid | TooMany) -> dict[str, str]:
    return refusal.fields if isinstance(refusal, Invalid) else {"": refusal.sentence}


def _marked(response: Response[str], refusal: Invalid | TooMany) -> Response[str]:
    """The response with the refusal's status and headers."""
    response.status_code = refusal.status
    if isinstance(refusal, TooMany):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


async def refused_at_the_door(
    request: Request[Any, Any, Any],
    show: Callable[..., Awaitable[Response[str]]],
    refusal: Invalid | TooMany,
    **values: Any,
) -> Response[str]:
    """The page of a password or a code again, which are never shown again; after too many tries with the time to wait.

    `show(request, errors=..., **values)` runs in a read-only transaction of the reader, where there is one.
    """
    reader = visit_of(request).reader
    async with transaction(reader, readonly=True) if reader else contextlib.nullcontext():
        response = await show(request, errors=_errors_of(refusal), **values)
    return _marked(response, refusal)


def see_other(where: str) -> Redirect:
    """After a write: go and look at what became of it."""
    return Redirect(where, status_code=303)


def download(
    content: bytes | AsyncIterator[bytes],
    name: str,
    *,
    media_type: str = "application/octet-stream",
    size: int | None = None,
) -> Response[Any]:
    """A file to be saved, never shown (R56). `name` may hold any character; what was uploaded keeps the default media type."""
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "content-security-policy": SANDBOX,
        "x-content-type-options": "nosniff",
    }
    if isinstance(content, bytes):
        return Response(content, media_type=media_type, headers=headers)
    if size is not None:
        headers["content-length"] = str(size)
    return Stream(content, media_type=media_type, headers=headers)
