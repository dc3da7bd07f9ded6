"""Show the notices of a contact or an agent, open one, and mark them all as read."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal import notices
from portal.database import transaction
from portal.numbers import number_in
from portal.people.readers import Reader
from portal.web.forms import Form
from portal.web.pages import page, see_other
from portal.web.visit import Web, visit_of


class Shown(Struct, kw_only=True):
    """The form that marks all notices as read: the id of the newest one when the list was shown."""

    newest: int


def _room(reader: Reader) -> str:
    """Return the beginning of the URLs of the reader's area."""
    return "" if reader.is_contact else "/agent"


@get("/notices")
async def show_list(request: Web, reader: NamedDependency[Any], at: NamedDependency[datetime]) -> Response[str]:
    """Show the reader's notices by day, the newest first. The open list refreshes itself through this URL.

    `?show=unread` leaves out what is read, and `?after=` is the id after which the list goes on.
    """
    only_unread, after = request.query_params.get("show") == "unread", number_in(request.query_params.get("after"))
    return page(
        request, "shared/notices.html", only_unread=only_unread, after=after, room=_room(reader),
        inbox=await notices.inbox(reader, only_unread=only_unread, after=after), **await request.app.state.frame(reader, at),
    )  # fmt: skip


@get("/notices/bell")
async def show_bell(request: Web) -> Response[str]:
    """Serve the bell of the bar with the number of unread notices, which refreshes itself through this URL."""
    return page(request, "shared/_bell.html")


@get("/notices/{notice:int}")
async def follow(
    request: Web, reader: NamedDependency[Any], at: NamedDependency[datetime], notice: FromPath[int]
) -> Response[Any]:
    """Mark a notice as read, and redirect to what it is about."""
    place = (await notices.find(notice, reader)).place
    await visit_of(request).end_reading()
    async with transaction(reader):
        await notices.read(reader, at, notice_id=notice)
    return see_other(place)


@post("/notices/reading")
async def read_all(
    reader: NamedDependency[Any], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Mark all notices as read that the list showed or that are older."""
    async with transaction(reader):
        await notices.read(reader, at, newest=form.into(Shown).newest)
    return see_other(f"{_room(reader)}/notices")


handlers: list[Any] = [show_list, show_bell, follow, read_all]
