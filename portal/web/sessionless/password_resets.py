"""Let people reset a forgotten password with a link in a mail. No response reveals who has an account (R5, R7, R83)."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal import jobs
from portal.database import transaction
from portal.errors import NotFound, TooMany
from portal.fields import Checked, email
from portal.people.access import attempts, credentials, invitations
from portal.web.bodies.receiving import read
from portal.web.forms import Form
from portal.web.pages import on_refusal, page, see_other
from portal.web.sessionless.invitations import Chosen, link_first, link_page, page_of_link
from portal.web.visit import Web, visit_of

PER_ACCOUNT = attempts.Limit(free=3, first_wait=attempts.HOUR, longest_wait=attempts.HOUR)
PER_ADDRESS = attempts.Limit(free=20, first_wait=attempts.HOUR, longest_wait=attempts.HOUR)


class Forgotten(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form field of a password reset: the mail address of the account."""

    email: str


def _needs_mail(request: Web) -> None:
    if not visit_of(request).settings.smtp_url:
        raise NotFound


@get("/password-resets")
async def ask(request: Web) -> Response[str]:
    """Show the form that asks for the mail address of the account. Raise `NotFound` if the portal cannot send mails."""
    _needs_mail(request)
    return await _ask_page(request)


async def _ask_page(request: Web, **again: Any) -> Response[str]:
    return page(request, "session/forgotten.html", **again)


async def _needs_mail_first(request: Web) -> None:
    _needs_mail(request)
    await read(request)


@post("/password-resets", before_request=_needs_mail_first)
@on_refusal(_ask_page, TooMany, only=["email"])
async def send(request: Web, form: NamedDependency[Form], at: NamedDependency[datetime]) -> Response[Any]:
    """Enqueue the reset mail, and show the same page for every mail address, whether or not it has an account (R5).

    A job is enqueued for an address without an account too, so that the duration of the response does not reveal who
    has an account. Raise `TooMany` after too many requests for this account or from this IP address.
    """
    given, checked = form.into(Forgotten), Checked()
    address = checked("email", email, given.email)
    checked.done()
    async with transaction(None):
        account = credentials.account_of(address)
        await attempts.admit(_limits(account, visit_of(request).address), at)
        await jobs.enqueue("mail_password_reset", credential=await credentials.find_active(address) or 0)
    return page(request, "session/reset_sent.html", email=address)


def _limits(account: str, address: str) -> dict[str, attempts.Limit]:
    """Return the rate limits of a reset request: for this account, and for all accounts from this IP address."""
    return {f"reset {account}": PER_ACCOUNT, f"reset from {attempts.source(address)}": PER_ADDRESS}


@get("/password-resets/{token:str}")
async def show(request: Web, at: NamedDependency[datetime], token: FromPath[str]) -> Response[str]:
    """Show the form for a new password, or a page that says that the link is no longer valid."""
    return await page_of_link(request, _page, _ended, at=at, token=token)


async def _page(request: Web, *, at: datetime, token: str, **again: Any) -> Response[str]:
    return await link_page(request, "session/reset.html", "reset", at=at, token=token, **again)


def _ended(request: Web) -> Response[str]:
    return page(request, "session/reset_ended.html", status=404, again=bool(visit_of(request).settings.smtp_url))


@post("/password-resets/{token:str}", before_request=link_first("reset", _ended))
@on_refusal(_page)
async def choose(
    request: Web, form: NamedDependency[Form], at: NamedDependency[datetime], token: FromPath[str]
) -> Response[Any]:
    """Store the new password and redirect to the sign-in page, which asks for the second factor as usual (R9).

    Failed sign-ins before the change no longer delay the next sign-in. If the link is no longer valid, return the page
    that says so.
    """
    try:
        async with transaction(None, readonly=True):
            invited = await invitations.find(token, at, "reset")
        password = form.into(Chosen).checked()
        await invitations.accept(token, password, at, kind="reset", known=[visit_of(request).company.name])
    except NotFound:
        return _ended(request)
    # Whoever forgot a password has usually tried several passwords, and must not have to wait because of these tries.
    async with transaction(None):
        await credentials.forget_tries(invited.email, visit_of(request).address)
    return see_other("/sign-in?changed=yes")


handlers: list[Any] = [ask, send, show, choose]
