"""Show a person's second factors, and make recovery codes, which replace a lost factor (R9, R10)."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from portal.database import transaction
from portal.errors import Conflict
from portal.people import factors
from portal.people.factors import notices, recovery
from portal.people.readers import Reader
from portal.web.account.confirmation import ask_for_password
from portal.web.account.pages import account_page, hold_session, login_of, renew_session
from portal.web.challenges import relying_party_of
from portal.web.guards import recognised, signed_in
from portal.web.pages import see_other
from portal.web.visit import Web, visit_of


@get("/account/second-factor", guards=[recognised])
async def show(request: Web, reader: NamedDependency[Any]) -> Response[str]:
    """Show the second factors that the reader has set up, and the kinds that can be added."""
    found = await factors.of(login_of(request))
    visit = visit_of(request)
    return await account_page(
        request, "account/second_factor.html", factors=found, takes_passkeys=relying_party_of(request) is not None,
        must_keep_one=must_keep_one(request), base_url=visit.settings.base_url,
    )  # fmt: skip


def must_keep_one(request: Web) -> bool:
    """Return whether the reader must keep at least one second factor.

    An agent must keep one if the settings require a second factor of agents. A contact need not.
    """
    visit = visit_of(request)
    return visit.settings.require_second_factor and visit.reader is not None and visit.reader.is_agent


async def begun(request: Web, reader: Reader, codes: list[str], *, lacked_one: bool) -> Response[Any]:
    """Return the response after a second factor was set up: the page with the new recovery codes, or a redirect.

    `codes` are the new recovery codes, which are shown only this once. If the reader had recovery codes already,
    `codes` is empty: then redirect to the page of second factors. If `lacked_one`, the reader could use no other page
    before setting up a factor, and the link below the codes leads to the start page.
    """
    if codes:
        return await codes_page(request, reader, codes, then="/" if lacked_one else "/account/second-factor")
    return see_other("/account/second-factor")


async def codes_page(request: Web, reader: Reader, codes: list[str], *, then: str) -> Response[str]:
    """Return the page that shows these recovery codes, with a link to the path `then`."""
    async with transaction(reader, readonly=True):
        return await account_page(request, "account/recovery_codes.html", codes=codes, then=then)


@post("/account/recovery-codes", guards=[signed_in])
async def renew_codes(request: Web, reader: NamedDependency[Any], at: NamedDependency[datetime]) -> Response[Any]:
    """Replace the reader's recovery codes with ten new ones, mail the reader that this was done, and show the codes.

    If the reader has not typed the password recently, redirect to the page that asks for it instead. Raise `Conflict`
    if the reader has no second factor.
    """
    ask_for_password(request)
    async with transaction(None):
        await hold_session(request)
        if not await factors.are_set_up(login_of(request)):
            raise Conflict("Recovery codes stand in for a second factor: set one up first.")
        codes = await recovery.renew(login_of(request))
        await notices.mail_change(login_of(request), "codes_renewed", at)
    return await codes_page(request, reader, codes, then="/account/second-factor")


async def removed(request: Web, reader: Reader, at: datetime, *, passkey: int | None) -> Response[Any]:
    """Remove a passkey, or the authenticator app if `passkey` is None, and redirect to the page of second factors.

    All sessions of the reader end, because some may have been opened with the removed factor; this browser gets a new
    session. If the reader does not have the factor, nothing changes. If the reader has not typed the password recently,
    remove nothing and redirect to the page that asks for it. Raise `Conflict` if it is the last factor and the reader
    must keep one.
    """
    ask_for_password(request)
    async with transaction(None):
        await hold_session(request)
        if await factors.remove(login_of(request), at, passkey=passkey, keep_one=must_keep_one(request)):
            await renew_session(request, reader.credential_id, at)
    return see_other("/account/second-factor")


handlers: list[Any] = [show, renew_codes]
