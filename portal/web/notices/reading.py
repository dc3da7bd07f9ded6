"""Mark the notices about a page's subject, such as a case, as read once the page has been sent."""

import functools
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar, cast

from litestar import Response
from litestar.background_tasks import BackgroundTask

from portal import notices
from portal.database import transaction
from portal.desk.looking import look_at
from portal.people.readers import Reader
from portal.web.visit import Web, visit_of

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Response[Any]]])


async def about_to_read(request: Web, about: tuple[str, int], *, looks: bool = False) -> None:
    """Note what the page shows, such as `("case", 7)`, so that `read_when_sent` marks the notices about it as read.

    The bell of this page no longer counts these notices. If `looks` is true, `about` must be a case, and
    `read_when_sent` also marks the case itself as read for this reader.
    """
    visit = visit_of(request)
    if looks:
        visit.looks_at = about[1]
    if visit.unread and visit.reader:
        visit.reads = about
        if visit.unread <= notices.COUNTED:
            visit.unread -= await notices.unread(visit.reader, about)


def read_when_sent(request: Web, response: Response[Any]) -> Response[Any]:
    """Return `response` with a background task, which marks notices as read once the response is sent.

    These are the notices that `about_to_read` or `reads_notices` chose before. If `about_to_read` was called with
    `looks`, the task also records that the reader has looked at the case. If there is nothing to record, there is no
    task.
    """
    visit = visit_of(request)
    if visit.reader and (visit.reads or visit.reads_notices or visit.looks_at):
        response.background = BackgroundTask(
            _read, visit.reader, visit.at, visit.reads, visit.reads_notices, visit.looks_at
        )
    return response


def reads_notices(handler: Handler) -> Handler:
    """Decorate a page's route handler: opening the page marks the unread notices that link to the page's URL as read.

    The notices are marked once the response is sent; the bell of the page no longer counts them. Notices about cases
    are left out. Use this for a page that is not about one subject that `about_to_read` could name, such as the page of
    a customer's hours. Place the decorator below Litestar's `@get`; the handler must have a parameter `request`.
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


async def _read(
    reader: Reader, at: datetime, about: tuple[str, int] | None, notice_ids: list[int], case_id: int | None
) -> None:
    """Mark the notices with these ids as read, and the notices about the subject `about` if it is given.

    If `case_id` is given, also record that the reader has looked at this case.
    """
    async with transaction(reader):
        if case_id:
            await look_at(case_id, reader, at)
        if about:
            await notices.read(reader, at, about=about)
        if notice_ids:
            await notices.read(reader, at, notice_ids=notice_ids)
