"""Serve invitation links: the invited person chooses a password and is then signed in."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.database import transaction
from portal.errors import Conflict, Invalid, NotFound, TooMany
from portal.people.access import credentials, invitations
from portal.web.bodies.receiving import read
from portal.web.forms import Form
from portal.web.pages import on_refusal, page, see_other
from portal.web.sessionless.sign_in import let_in
from portal.web.visit import Web, visit_of


class Chosen(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a new password, typed twice.

    The mail address is in the form only for password managers; the server ignores it.
    """

    password: str
    again: str
    email: str = ""

    def checked(self) -> str:
        """Return the password. Raise `Invalid` if the two typed passwords differ."""
        if self.password != self.again:
            raise Invalid({"again": "The two passwords are not the same. Type both again."})
        return self.password


@get("/invitations/{token:str}")
async def show(request: Web, at: NamedDependency[datetime], token: FromPath[str]) -> Response[str]:
    """Show the form in which the invited person chooses a password, or a page that says that the link is not valid."""
    return await page_of_link(request, _page, _ended, at=at, token=token)


async def page_of_link(
    request: Web,
    show: Callable[..., Awaitable[Response[str]]],
    ended: Callable[[Web], Response[str]],
    *,
    at: datetime,
    token: str,
) -> Response[str]:
    """Return the page to which a link in a mail leads: the result of `show` or, if the link is not valid, of `ended`.

    Raise `Conflict` if this browser is signed in.
    """
    refuse_signed_in(request)
    try:
        return await show(request, at=at, token=token)
    except NotFound:
        return ended(request)


def link_first(kind: invitations.Kind, ended: Callable[[Web], Response[str]]) -> Callable[[Web], Awaitable[Any]]:
    """Return a function for Litestar to run before the handler, so that the form is read only if the link is valid.

    If the link in the URL is not valid, the function returns the page that `ended` makes. It raises `Conflict` if this
    browser is signed in.
    """

    async def find_first(request: Web) -> Response[str] | None:
        refuse_signed_in(request)
        try:
            async with transaction(None, readonly=True):
                await invitations.find(request.path_params["token"], visit_of(request).at, kind)
        except NotFound:
            return ended(request)
        await read(request)
        return None

    return find_first


async def link_page(
    request: Web, template: str, kind: invitations.Kind, *, at: datetime, token: str, **again: Any
) -> Response[str]:
    """Return the page with the password form to which the link leads. Raise `NotFound` if the link is not valid.

    The form in `template` asks for a new password. If `Invited.joins` is true, because the person already signs in as a
    contact of another customer, another template is used, which asks for their present password. The template gets the
    `Invited`, and the form's URL as `action`. Browsers do not send the URL as a referrer, because the URL contains the
    secret token (R41).
    """
    async with transaction(None, readonly=True):
        invited = await invitations.find(token, at, kind)
    if invited.joins:
        template, again["resets"] = "session/joining.html", bool(visit_of(request).settings.smtp_url)
    answer = page(request, template, invited=invited, action=request.scope["path"], **again)
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


async def _page(request: Web, *, at: datetime, token: str, **again: Any) -> Response[str]:
    return await link_page(request, "session/invitation.html", "invitation", at=at, token=token, **again)


def _ended(request: Web) -> Response[str]:
    return page(request, "session/invitation_ended.html", status=404)


class Joining(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of an invited person who has a password already. The mail address is only for password managers."""

    password: str
    email: str = ""


@post("/invitations/{token:str}", before_request=link_first("invitation", _ended))
@on_refusal(_page, TooMany, only=[])
async def accept(
    request: Web, form: NamedDependency[Form], at: NamedDependency[datetime], token: FromPath[str]
) -> Response[Any]:
    """Store the invited person's new password, end the link, and sign the person in.

    If the person has a password already, check it instead of storing a new one. If the link is no longer valid, return
    the page that says so. If the password was changed or the access ended while this request was processed, redirect to
    the sign-in page.
    """
    visit = visit_of(request)
    try:
        async with transaction(None, readonly=True):
            joins = (await invitations.find(token, at)).joins
        if joins:
            proven = await credentials.join(token, form.into(Joining).password, address=visit.address, at=at)
        else:
            password = form.into(Chosen).checked()
            proven = await invitations.accept(token, password, at, known=[visit.company.name])
    except NotFound:
        return _ended(request)
    try:
        return await let_in(request, proven, "/", at)
    except Invalid:  # The password was changed, or the person's access ended, while this request was processed.
        return see_other("/sign-in?changed=yes")


def refuse_signed_in(request: Web) -> None:
    """Raise `Conflict` if somebody is signed in, so that one browser never acts as two people."""
    reader = visit_of(request).reader
    if reader is not None:
        raise Conflict(f"You are signed in as {reader.name}. Sign out, then open this link again.")


handlers: list[Any] = [show, accept]
