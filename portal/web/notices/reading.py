"""Mark the notices about what a page shows as read, once the page is sent."""

from datetime import datetime
from typing import Any

from litestar import Response
from litestar.background_tasks import BackgroundTask

from portal import notices
from portal.database import transaction
from portal.people.readers import Reader
from portal.web.visit import Web, visit_of


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
