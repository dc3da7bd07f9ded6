"""Ask for the password again before a change that only the owner of the account may make (R20)."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery
from msgspec import Struct

from portal.database import transaction
from portal.errors import Invalid, TooMany
from portal.people.access import credentials, sessions
from portal.web.account.pages import account_page
from portal.web.errors import Detour
from portal.web.forms import Form
from portal.web.guards import recognised
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, page_of, safe_path, visit_of

CONFIRMED_FOR = timedelta(minutes=10)
"""For this long after typing the password, the reader is not asked for it again."""


class Confirmation(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of the confirmation: the password, and the path to redirect to once the password is confirmed."""

    password: str
    next: str = "/"


def needs_password(request: Web) -> bool:
    """Return whether the reader last typed the password more than `CONFIRMED_FOR` ago, and so must type it again.

    Without a session, return True.
    """
    visit = visit_of(request)
    return visit.session is None or visit.at - visit.session.confirmed_at > CONFIRMED_FOR


def ask_for_password(request: Web) -> None:
    """Raise `Detour` to the page that asks for the password, unless the reader typed it within `CONFIRMED_FOR`.

    Once the password is typed, the reader is redirected to the page of this request. If the request sent a form, the
    reader is redirected to the page with that form. Use this for pages, and for forms that consist of a button only.
    """
    if needs_password(request):
        back = request.scope["path"] if request.method == "GET" else page_of(request)
        raise Detour(f"/account/confirmation?next={quote(back, safe='')}")


async def confirm_person(request: Web, password: str, at: datetime) -> None:
    """Check `password`, and record that the reader typed it now. Do nothing if they typed it within `CONFIRMED_FOR`.

    Raise `Invalid` at the field `password` if the password is wrong, or after too many attempts. Use this for forms
    that have a password field.
    """
    try:
        await _confirm(request, password, at)
    except TooMany as refusal:
        raise Invalid({"password": refusal.sentence}) from refusal


async def _confirm(request: Web, password: str, at: datetime) -> None:
    """Check the reader's password, and record that they typed it now. Do nothing if they typed it recently.

    Raise `Invalid` at the field `password` if it is wrong, `TooMany` after too many attempts.
    """
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
    """Show the form that asks for the password, or redirect to the path `next` if the reader typed it recently."""
    if not needs_password(request):
        return see_other(safe_path(next))
    return await _page(request, next=safe_path(next))


async def _page(request: Web, **context: Any) -> Response[str]:
    return await account_page(request, "account/confirmation.html", **context)


async def _again(request: Web, *, form: Form, **context: Any) -> Response[str]:
    return await _page(request, next=safe_path(form.get("next")), **context)


@post("/account/confirmation", guards=[recognised])
@on_refusal(_again, TooMany, only=[])
async def confirm(request: Web, form: NamedDependency[Form], at: NamedDependency[datetime]) -> Response[Any]:
    """Check the password and redirect to the form's path `next`. Show the form again if the password is refused."""
    given = form.into(Confirmation)
    await _confirm(request, given.password, at)
    return see_other(safe_path(given.next))


handlers: list[Any] = [show, confirm]
