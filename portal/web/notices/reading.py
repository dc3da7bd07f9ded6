"""Mark the notices about what a page shows as read, once the page is sent."""

import functools
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar, cast

from litestar import Response
from litestar.background_tasks import BackgroundTask

from portal import notices
from portal.database import transaction
from portal.people.readers import Reader
from portal.web.visit import Web, visit_of

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Response[Any]]])


async def about_to_read(request: Web, about: tuple[str, int]) -> None:
    """Note that the page which is being made shows a subject, such as `("case", 7)`, and so reads the notices about it.

    The bell of the page does not count them any more. Do nothing for a reader without unread notices.
    """
    visit = visit_of(request)
    if visit.unread and visit.reader:
        visit.reads = about
        if visit.unread <= notices.COUNTED:
            visit.unread -= await notices.unread(visit.reader, about)


def read_when_sent(request: Web, response: Response[Any]) -> Response[Any]:
    """Return the response of a page that marks the notices about what it shows as read, once it is sent.

    `about_to_read` and `reads_notices` say which. Nothing is written if there are none.
    """
    visit = visit_of(request)
    if visit.reader and (visit.reads or visit.reads_notices):
        response.background = BackgroundTask(_read, visit.reader, visit.at, visit.reads, visit.reads_notices)
    return response


def reads_notices(handler: Handler) -> Handler:
    """Return the route handler of a page that marks the notices which lead to its URL as read, once the page is sent.

    It is for pages to which notices lead that are not about the case, entry or invoice that the page shows, such as the
    hours of a customer.
    Write this decorator below Litestar's `@get`; the handler has a parameter `request`.
    """

    @functools.wraps(handler)
    async def handle(*, request: Web, **given: Any) -> Response[Any]:
        visit, path = visit_of(request), request.url.path
        if visit.unread and visit.reader:
            leading = await notices.leading_to({path, f"{path}?{request.url.query}"}, visit.reader)
            visit.reads_notices = [told.id for told in leading]
            if visit.unread <= notices.COUNTED:
                visit.unread -= sum(told.in_app for told in leading)
        return read_when_sent(request, await handler(request=request, **given))

    return cast(Handler, handle)


async def _read(reader: Reader, at: datetime, about: tuple[str, int] | None, notice_ids: list[int]) -> None:
    """Mark the notices about a subject, if there is one, and those with these ids as read."""
    async with transaction(reader):
        if about:
            await notices.read(reader, at, about=about)
        if notice_ids:
            await notices.read(reader, at, notice_ids=notice_ids)
