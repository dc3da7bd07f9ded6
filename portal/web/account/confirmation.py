"""Asking for the password once more, before what only the owner of a session may do (R20)."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery
from msgspec import Struct

from portal.database import transaction
from portal.errors import Invalid, TooMany
from portal.people import credentials, sessions
from portal.web.account.pages import account_page
from portal.web.errors import Detour
from portal.web.forms import Form
from portal.web.guards import recognised
from portal.web.pages import refused_at_the_door, see_other
from portal.web.visit import Web, page_of, safe_path, visit_of

CONFIRMED_FOR = timedelta(minutes=10)
"""So long after the password was typed it is not asked for again."""


class Confirmation(Struct, forbid_unknown_fields=True, kw_only=True):
    """The password, and where to go on."""

    password: str
    next: str = "/"


def needs_password(request: Web) -> bool:
    """Whether the password was typed too long ago for what only its owner may change."""
    visit = visit_of(request)
    return visit.session is None or visit.at - visit.session.confirmed_at > CONFIRMED_FOR


def ask_for_password(request: Web) -> None:
    """For a page or a button: off to the page that asks, and from there back, unless the password was typed lately."""
    if needs_password(request):
        back = request.scope["path"] if request.method == "GET" else page_of(request)
        raise Detour(f"/account/confirmation?next={quote(back, safe='')}")


async def confirm_person(request: Web, password: str, at: datetime) -> None:
    """For a form that has a field for it: raise `Invalid` at `password` unless it was typed lately or is typed now."""
    try:
        await _confirm(request, password, at)
    except TooMany as refusal:
        raise Invalid({"password": refusal.sentence}) from refusal


async def _confirm(request: Web, password: str, at: datetime) -> None:
    visit = visit_of(request)
    if not needs_password(request) or visit.reader is None or visit.session is None:
        return
    try:
        await credentials.verify(visit.reader.email, password, address=visit.address, at=at)
    except Invalid as refusal:
        sentence = "This is not your password." if password else "Type your password: you signed in a while ago."
        raise Invalid({"password": sentence}) from refusal
    async with transaction(None):
        await sessions.confirm(visit.session, at)


@get("/account/confirmation", guards=[recognised])
async def show(request: Web, next: FromQuery[str] = "/account") -> Response[Any]:
    """The form; who typed the password lately goes on."""
    if not needs_password(request):
        return see_other(safe_path(next))
    return await _page(request, next=safe_path(next))


async def _page(request: Web, **context: Any) -> Response[str]:
    return await account_page(request, "account/confirmation.html", **context)


@post("/account/confirmation", guards=[recognised])
async def confirm(request: Web, form: NamedDependency[Form], at: NamedDependency[datetime]) -> Response[Any]:
    """Back to where it was needed."""
    given = form.into(Confirmation)
    try:
        await _confirm(request, given.password, at)
    except (Invalid, TooMany) as refusal:
        return await refused_at_the_door(request, _page, refusal, next=safe_path(given.next))
    return see_other(safe_path(given.next))


handlers: list[Any] = [show, confirm]
