"""What the lists of notices of both areas share: the page's content, opening a notice, and marking notices as read."""

from datetime import datetime
from typing import Any

from litestar import Response
from litestar.background_tasks import BackgroundTask
from litestar.response import Redirect

from portal import notices
from portal.database import transaction
from portal.numbers import number_in
from portal.people.readers import Reader
from portal.web.pages import see_other
from portal.web.visit import Web, visit_of


async def inbox_of(request: Web, reader: Reader) -> dict[str, Any]:
    """Return what the page with the reader's notices shows: `?show=unread` leaves out what is read, `?after=` goes on."""
    only_unread, after = request.query_params.get("show") == "unread", number_in(request.query_params.get("after"))
    return {
        "inbox": await notices.inbox(reader, only_unread=only_unread, after=after),
        "only_unread": only_unread,
        "after": after,
        "room": "" if reader.is_contact else "/agent",
    }


async def open_notice(request: Web, reader: Reader, notice_id: int, at: datetime) -> Redirect:
    """Mark a notice of the reader as read, and redirect to what it is about. Raise `NotFound` if it is not theirs."""
    place = (await notices.find(notice_id, reader)).place
    await visit_of(request).end_reading()
    async with transaction(reader):
        await notices.read(reader, at, notice_id=notice_id)
    return see_other(place)


async def read_all(reader: Reader, newest: int, at: datetime) -> None:
    """Mark all notices of the reader up to the id `newest` as read."""
    async with transaction(reader):
        await notices.read(reader, at, newest=newest)


def read_when_sent(request: Web, response: Response[Any], about: tuple[str, int]) -> Response[Any]:
    """Return the response of a page that marks the notices about what it shows as read, once it is sent.

    `about` is what it shows, such as `("case", 7)`. Nothing is written for a reader without unread notices.
    """
    visit = visit_of(request)
    if visit.unread and visit.reader:
        response.background = BackgroundTask(read_about, visit.reader, visit.at, about)
    return response


async def read_about(reader: Reader, at: datetime, about: tuple[str, int]) -> None:
    """Mark the notices of the reader about this subject as read."""
    async with transaction(reader):
        await notices.read(reader, at, about=about)
