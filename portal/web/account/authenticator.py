"""Set up an authenticator app: show a QR code, then ask for a code to prove that the app has the secret (R9)."""

from datetime import datetime, timedelta
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from msgspec import Struct

from portal.database import transaction
from portal.errors import Invalid
from portal.people.factors import authenticator
from portal.people.readers import Reader
from portal.sealing import Broken
from portal.web.account.confirmation import ask_for_password
from portal.web.account.pages import account_page, hold_session, login_of, renew_session
from portal.web.account.second_factor import begun, removed
from portal.web.form_pages import FORM_PAGE
from portal.web.forms import Form
from portal.web.guards import recognised, signed_in
from portal.web.pages import on_refusal
from portal.web.visit import Web, visit_of

SCANNED_WITHIN = timedelta(minutes=30)


class SetUp(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields for setting up an app: the code that it shows, and its secret, which the page sealed (encrypted)."""

    sealed: str
    code: str


@get("/account/authenticator", guards=[recognised])
async def show(request: Web, reader: NamedDependency[Any]) -> Response[str]:
    """Show the page with the QR code of a new secret. The secret is stored only once a valid code is sent.

    If the reader has not typed the password recently, redirect to the page that asks for it instead.
    """
    ask_for_password(request)
    return await _page(request, reader=reader, secret=authenticator.new_secret())


async def _again(request: Web, *, reader: Reader, form: Form, **again: Any) -> Response[str]:
    """Show the page again after a refusal.

    The QR code shows the sealed secret from the form, or a new secret if the sealed one is no longer valid.
    """
    try:
        secret = _opened(request, form.get("sealed"))
    except Invalid:
        secret = authenticator.new_secret()
    return await _page(request, reader=reader, secret=secret, **again)


async def _page(request: Web, *, reader: Reader, secret: str, **again: Any) -> Response[str]:
    """Return the page with the QR code of this secret."""
    import segno  # noqa: PLC0415 - a tenth of the start of each process, and few people open this page

    visit = visit_of(request)
    address = authenticator.address(secret, email=reader.email, company=visit.company.name)
    return await account_page(
        request, "account/authenticator.html",
        modules=[list(row) for row in segno.make_qr(address, error="m").matrix], secret=secret, address=address,
        sealed=visit.settings.sealer.seal(_purpose(request), secret, visit.at), **again,
    )  # fmt: skip


@post("/account/authenticator", guards=[recognised])
@on_refusal(_again, only=[])
async def set_up(
    request: Web,
    reader: NamedDependency[Any],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
) -> Response[Any]:
    """Store the authenticator app if the code is right, so that signing in requires a code from then on.

    All other sessions of the reader end. Show new recovery codes if the reader had none, otherwise redirect to the page
    of second factors. If the reader has not typed the password recently, store nothing and redirect to the page that
    asks for it. Raise `Invalid` for a wrong code, and if the QR code was shown too long ago.
    """
    ask_for_password(request)
    visit, given = visit_of(request), form.into(SetUp)
    lacked_one, secret = visit.lacks_factor, _opened(request, given.sealed)
    async with transaction(None):
        await hold_session(request)
        codes = await authenticator.set_up(login_of(request), secret, given.code, visit.settings.sealer, at)
        await renew_session(request, reader.credential_id, at, factor="authenticator")
    return await begun(request, reader, codes, lacked_one=lacked_one)


def _opened(request: Web, sealed: str) -> str:
    """Return the secret of the authenticator app, which the page sealed into the form.

    Raise `Invalid` if the page was shown too long ago, or if `sealed` is forged.
    """
    visit = visit_of(request)
    try:
        return visit.settings.sealer.open(_purpose(request), sealed, visit.at, within=SCANNED_WITHIN)
    except Broken as error:
        raise Invalid({"": "This picture was shown too long ago. Scan the new one below."}) from error


def _purpose(request: Web) -> str:
    return f"authenticator of {login_of(request)}"


@post("/account/authenticator/removal", guards=[signed_in], opt={FORM_PAGE: "/account"})
async def remove(request: Web, reader: NamedDependency[Any], at: NamedDependency[datetime]) -> Response[Any]:
    """Remove the reader's authenticator app, and redirect to the page of second factors.

    If the reader has not typed the password recently, remove nothing and redirect to the page that asks for it.
    """
    return await removed(request, reader, at, passkey=None)


handlers: list[Any] = [show, set_up, remove]
