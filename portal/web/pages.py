"""Build responses: pages and fragments from templates, redirects after a write, file downloads."""

import contextlib
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any, TypeVar, cast
from urllib.parse import quote

import msgspec
from litestar import Response
from litestar.response import Redirect, Stream

from portal import notices
from portal.database import transaction
from portal.desk.messages import SentBefore
from portal.errors import Invalid, Refusal, TooMany
from portal.render import render
from portal.web import drafts
from portal.web.edits import Overtaken, as_seen
from portal.web.forms import Form
from portal.web.headers import SANDBOX
from portal.web.paging import in_pages
from portal.web.visit import Web, visit_of

HTML = "text/html"
Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Response[Any]]])


def page(request: Web, template: str, *, status: int = 200, **context: Any) -> Response[str]:
    """Return a response with the rendered template, which is a page or a fragment.

    In addition to `context`, the template gets reader, company, rules, csrf, nonce, path, now, snapshot, unread,
    other_customers, in_pages (`portal.web.paging`), errors and typed.
    """
    visit = visit_of(request)
    given = {"errors": {}, "typed": {}} | context
    html = render(
        template,
        reader=visit.reader,
        company=visit.company,
        rules=visit.rules,
        csrf=visit.csrf,
        nonce=visit.nonce,
        path=request.scope["path"],
        now=visit.at,
        snapshot=visit.snapshot,
        unread=visit.unread,
        other_customers=visit.other_customers,
        in_pages=functools.partial(in_pages, request),
        **given,
    )
    return Response(html, status_code=status, media_type=HTML)


async def form_values(
    request: Web,
    facts: msgspec.Struct | None,
    typed: dict[str, Any] | None = None,
    *,
    seen: msgspec.Struct | None = None,
) -> dict[str, Any]:
    """Return the template variables of a form: `typed`, the values of its fields, and `seen` (`portal.web.edits`).

    The fields show the argument `typed`, the values of a refused form. If it is None, they show the reader's draft for
    this path or, without a draft, the stored values `facts`. The variable `seen` is the JSON text of the values with
    which the next submission is compared: the argument `seen`, by default `facts`.
    """
    reader: Any = visit_of(request).reader
    if typed is None:
        path = request.scope["path"]
        stored = msgspec.structs.asdict(facts) if facts else {}
        typed = (await drafts.kept(reader, path))[path] or stored
    shown = seen or facts
    return {"typed": typed, "seen": as_seen(shown) if shown else ""}


def turned(request: Web, *lists: str) -> dict[str, str]:
    """Return the query parameter of the one list on this page that is past its first page, such as `{"drafts": "12"}`.

    `lists` are the names of the lists on the page, which are also the names of their query parameters. The value is the
    paging cursor: the row after which the list continues. The result is empty if all lists are on their first page.
    """
    return next(({name: value} for name in lists if (value := request.query_params.get(name))), {})


def on_refusal(
    show: Callable[..., Awaitable[Response[str]]],
    *also: type[Refusal],
    only: Collection[str] | None = None,
    **fixed: Any,
) -> Callable[[Handler], Handler]:
    """Return a decorator for the route handler of a form: if the handler refuses the form, show the form's page again.

    The handler refuses the form by raising `Invalid` or one of the types in `also`. Then `show` makes the page; it is
    called as `refused` describes, with `fixed` as further arguments. If `show` and the handler have a parameter in
    common, such as the id in the URL, the reader or the form, `show` gets the same value as the handler. Write this
    decorator below Litestar's `@post`.

    For a form with passwords or codes, `only` lists the fields whose values may be shown again. Then no other value is
    shown, no draft is saved, and `show` runs without a transaction if nobody is signed in.
    """
    wanted = inspect.signature(show).parameters.keys() - {"request"}
    expected: tuple[type[Refusal], ...] = (Invalid, *also)

    def decorate(handler: Handler) -> Handler:
        @functools.wraps(handler)
        async def handle(*, request: Web, **given: Any) -> Response[Any]:
            try:
                return await handler(**given | ({"request": request} if takes_request else {}))
            except expected as refusal:
                values = {name: value for name, value in given.items() if name in wanted}
                form = visit_of(request).form
                if only is None:
                    return await refused(request, show, refusal, form, **values | fixed)
                return await _refused_secret(request, show, refusal, form, only, **values | fixed)

        signature = inspect.signature(handler)
        takes_request = "request" in signature.parameters
        if not takes_request:
            # Litestar passes the parameters that the signature names. `show` needs the request even if the handler
            # does not.
            request = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Web)
            handle.__signature__ = signature.replace(parameters=[*signature.parameters.values(), request])  # type: ignore[attr-defined]
            handle.__annotations__ = handler.__annotations__ | {"request": Web}
        return cast(Handler, handle)

    return decorate


async def refused(
    request: Web, show: Callable[..., Awaitable[Response[str]]], refusal: Refusal, form: Form, /, **values: Any
) -> Response[str]:
    """Return the form's page again after a refusal, with the HTTP status of the refusal and what was typed.

    `show(request, errors=..., typed=..., **values)` makes the page and runs in a read-only transaction of the reader.
    `errors` maps field names to error messages; the key "" stands for the whole form. `typed` holds the sent fields. A
    form with a key is saved as a draft, with its files, so that the text survives a reload of the page. If the same
    form was sent before with other content (`SentBefore`), it gets a new key.
    """
    visit = visit_of(request)
    if visit.reader and form.key:
        if isinstance(refusal, SentBefore):
            await form.renew_key(visit.reader)
        address = drafts.address_of(request, form.key)
        await drafts.keep(visit.reader.credential_id, address, form.fields, visit.at)
    async with transaction(visit.reader, readonly=True):
        visit.unread = await notices.unread(visit.reader) if visit.reader else 0
        typed = form.typed | (refusal.typed if isinstance(refusal, Overtaken) else {})
        response = await show(request, errors=_errors_of(refusal), typed=typed, **values)
    return _marked(response, refusal)


def _errors_of(refusal: Refusal) -> dict[str, str]:
    return refusal.fields if isinstance(refusal, Invalid) else {"": refusal.sentence}


def _marked(response: Response[str], refusal: Refusal) -> Response[str]:
    """Set the HTTP status and the headers of the refusal on the response."""
    response.status_code = refusal.status
    if isinstance(refusal, TooMany):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


async def _refused_secret(
    request: Web,
    show: Callable[..., Awaitable[Response[str]]],
    refusal: Refusal,
    form: Form,
    only: Collection[str],
    /,
    **values: Any,
) -> Response[str]:
    """Show the page of a password or code form again, with the status of the refusal and only the fields in `only`.

    After too many attempts, the header `Retry-After` says how long to wait.
    """
    reader, typed = visit_of(request).reader, {name: form.get(name) for name in only}
    async with transaction(reader, readonly=True) if reader else contextlib.nullcontext():
        response = await show(request, errors=_errors_of(refusal), typed=typed, **values)
    return _marked(response, refusal)


def see_other(where: str) -> Redirect:
    """Return a redirect with HTTP status 303 to `where`, for use after a write."""
    return Redirect(where, status_code=303)


def download(
    content: bytes | AsyncIterator[bytes],
    name: str,
    *,
    media_type: str = "application/octet-stream",
    size: int | None = None,
) -> Response[Any]:
    """Return a response that makes the browser save `content` as a file called `name`, and never display it (R56).

    `name` may contain any character. Keep the default media type for uploaded files. `size` is the number of bytes of a
    stream, if it is known.
    """
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
