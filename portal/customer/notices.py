"""Serve the notices of a contact: the bell, the list, and the way from a notice to what it is about."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.people.readers import ContactReader
from portal.web.forms import Form
from portal.web.notices import inbox_of, open_notice, read_all
from portal.web.pages import page, see_other
from portal.web.visit import Web


class Shown(Struct, kw_only=True):
    """The form that marks all notices as read: the id of the newest one when the list was shown."""

    newest: int


@get("/notices")
async def show_notices(request: Web, reader: NamedDependency[ContactReader]) -> Response[str]:
    """Show the reader's notices by day, the newest first. The open list refreshes itself through this URL."""
    return page(request, "customer/notices/list.html", **await inbox_of(request, reader))


@get("/notices/bell")
async def show_bell(request: Web) -> Response[str]:
    """Serve the bell of the bar with the number of unread notices, which refreshes itself through this URL."""
    return page(request, "shared/_bell.html")


@get("/notices/{notice:int}")
async def follow(
    request: Web, reader: NamedDependency[ContactReader], at: NamedDependency[datetime], notice: FromPath[int]
) -> Response[Any]:
    """Mark a notice as read, and redirect to what it is about."""
    return await open_notice(request, reader, notice, at)


@post("/notices/reading")
async def read_them_all(
    reader: NamedDependency[ContactReader], form: NamedDependency[Form], at: NamedDependency[datetime]
) -> Response[Any]:
    """Mark all notices as read that the list showed or that are older."""
    await read_all(reader, form.into(Shown).newest, at)
    return see_other("/notices")


handlers: list[Any] = [show_notices, show_bell, follow, read_them_all]
