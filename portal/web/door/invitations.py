"""Serve invitation links: the invited person chooses a password and is then signed in."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.database import transaction
from portal.errors import Conflict, Invalid, NotFound
from portal.people import invitations
from portal.web.door.sign_in import let_in
from portal.web.forms import Form
from portal.web.pages import on_refusal, page, see_other
from portal.web.receiving import read
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
    refuse_signed_in(request)
    try:
        return await _page(request, at=at, token=token)
    except NotFound:
        return page(request, "session/invitation_ended.html", status=404)


async def _find_first(request: Web) -> Response[str] | None:
    """Return an error page if the invitation link in the URL is not valid; otherwise read the form and return None.

    This runs before the handler, so that the body of a request with a wrong link is never read.
    """
    refuse_signed_in(request)
    visit = visit_of(request)
    try:
        async with transaction(None, readonly=True):
            await invitations.find(request.path_params["token"], visit.at)
    except NotFound:
        return page(request, "session/invitation_ended.html", status=404)
    await read(request)
    return None


async def _page(request: Web, *, at: datetime, token: str, **again: Any) -> Response[str]:
    async with transaction(None, readonly=True):
        invited = await invitations.find(token, at)
    action = f"/invitations/{token}"
    answer = page(request, "session/invitation.html", name=invited.name, email=invited.email, action=action, **again)
    answer.headers["Referrer-Policy"] = "no-referrer"  # The URL contains the secret token (R41).
    return answer


@post("/invitations/{token:str}", before_request=_find_first)
@on_refusal(_page)
async def accept(
    request: Web, form: NamedDependency[Form], at: NamedDependency[datetime], token: FromPath[str]
) -> Response[Any]:
    """Store the password of the invited person, use up the link, and sign the person in."""
    try:
        password = form.into(Chosen).checked()
        proven = await invitations.accept(token, password, at, known=[visit_of(request).company.name])
    except NotFound:
        return page(request, "session/invitation_ended.html", status=404)
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
