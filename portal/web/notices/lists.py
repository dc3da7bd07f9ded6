"""Show the notices of a contact or an agent, open one, and mark them all as read."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal import notices
from portal.database import transaction
from portal.errors import Invalid
from portal.numbers import number_in
from portal.people.readers import Reader
from portal.render.formats import plural
from portal.web.forms import Form
from portal.web.pages import page, see_other
from portal.web.visit import Web, visit_of


class Shown(Struct, kw_only=True):
    """Field of the form that marks all notices as read.

    `newest` is the id of the newest notice when the list was shown.
    """

    newest: int


class Reading(Struct, kw_only=True):
    """Field of the form that undoes marking notices as read.

    `at` is the instant at which the notices were marked as read, in ISO 8601.
    """

    at: str


def _area_path(reader: Reader) -> str:
    """Return the path prefix of the reader's area: "" for contacts, `/agent` for agents."""
    return "" if reader.is_contact else "/agent"


def _toast(query: Mapping[str, str], reader: Reader) -> dict[str, Any] | None:
    """Return the message that notices were marked as read, with the URL and the fields of its undo button.

    The query parameter `read` is the number of these notices. Return None if it is missing or 0.
    """
    count = number_in(query.get("read"))
    if not count:
        return None
    words = f"{plural(count, 'notice')} marked as read."
    return {
        "words": words,
        "undo": f"{_area_path(reader)}/notices/reading/removal",
        "fields": {"at": query.get("at", "")},
    }


@get("/notices")
async def show_list(request: Web, reader: NamedDependency[Any], at: NamedDependency[datetime]) -> Response[str]:
    """Show the reader's notices by day, newest first. The open list refreshes itself through this URL.

    `?show=unread` leaves out notices that were read. `?after=` is the paging cursor: the id of the last notice on the
    page before.
    """
    query = request.query_params
    only_unread, after = query.get("show") == "unread", number_in(query.get("after"))
    return page(
        request, "shared/notices.html", only_unread=only_unread, after=after, room=_area_path(reader), toast=_toast(query, reader),
        inbox=await notices.inbox(reader, only_unread=only_unread, after=after), **await request.app.state.frame(reader, at),
    )  # fmt: skip


@get("/notices/bell")
async def show_bell(request: Web) -> Response[str]:
    """Serve the bell with the number of unread notices. The bell refreshes itself through this URL."""
    return page(request, "shared/_bell.html")


@get("/notices/{notice:int}")
async def follow(
    request: Web, reader: NamedDependency[Any], at: NamedDependency[datetime], notice: FromPath[int]
) -> Response[Any]:
    """Mark a notice as read, and redirect to the page to which the notice leads."""
    place = (await notices.find(notice, reader)).place
    await visit_of(request).end_reading()
    async with transaction(reader):
        await notices.read(reader, at, notice_ids=[notice])
    return see_other(place)


@post("/notices/reading")
async def read_all(
    reader: NamedDependency[Any], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Mark all notices up to the newest one in the list as read, and redirect to the list, which has an undo button."""
    async with transaction(reader):
        count = await notices.read(reader, at, newest=form.into(Shown).newest)
    told = f"?{urlencode({'read': count, 'at': at.isoformat()})}" if count else ""
    return see_other(f"{_area_path(reader)}/notices{told}")


@post("/notices/reading/removal")
async def read_no_more(
    reader: NamedDependency[Any], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Mark the notices that were marked as read at the instant `at` as unread again, and redirect to the list.

    Raise `Invalid` if `at` is not an instant.
    """
    try:
        read_at = datetime.fromisoformat(form.into(Reading).at).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid({"": "This cannot be taken back. Load the page again."}) from None
    async with transaction(reader):
        await notices.read_no_more(reader, read_at, at)
    return see_other(f"{_area_path(reader)}/notices")


handlers: list[Any] = [show_list, show_bell, follow, read_all, read_no_more]
