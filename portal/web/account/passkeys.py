"""Add and remove passkeys (R10)."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.database import transaction
from portal.errors import Invalid
from portal.people.factors import passkeys
from portal.people.readers import Reader
from portal.web.account.confirmation import ask_for_password
from portal.web.account.pages import account_page, hold_session, login_of, renew_session
from portal.web.account.second_factor import begun, removed
from portal.web.challenges import challenge_of, new_challenge, relying_party_of
from portal.web.forms import Form
from portal.web.guards import recognised, signed_in
from portal.web.pages import on_refusal
from portal.web.visit import Web, visit_of


class Added(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a new passkey: its name, the browser's registration response as JSON, and the sealed challenge."""

    name: str
    answer: str
    sealed: str


@get("/account/passkeys/new", guards=[recognised])
async def show(request: Web, reader: NamedDependency[Any]) -> Response[str]:
    """Show the form whose button makes the browser create a passkey.

    If the reader has not typed the password recently, redirect to the page that asks for it instead.
    """
    ask_for_password(request)
    return await _page(request, reader=reader)


async def _page(request: Web, *, reader: Reader, **again: Any) -> Response[str]:
    relying_party = relying_party_of(request)
    challenge, sealed = new_challenge(request, "add", login_of(request))
    options = (
        await passkeys.options_to_add(login_of(request), reader.email, reader.name, relying_party, challenge)
        if relying_party
        else None
    )
    return await account_page(request, "account/passkey.html", options=options, sealed=sealed, **again)


@post("/account/passkeys/new", guards=[recognised])
@on_refusal(_page, only=["name"])
async def add(
    request: Web,
    reader: NamedDependency[Any],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
) -> Response[Any]:
    """Store the new passkey, with which the reader can sign in from then on.

    All other sessions of the reader end. Show new recovery codes if the reader had none, otherwise redirect to the page
    of second factors. If the browser's response is refused, show the page again with the reason. If the reader has not
    typed the password recently, store nothing and redirect to the page that asks for it.
    """
    ask_for_password(request)
    given, relying_party = form.into(Added), relying_party_of(request)
    lacked_one = visit_of(request).lacks_factor
    challenge = challenge_of(request, "add", login_of(request), given.sealed)
    if relying_party is None:
        raise Invalid({"": passkeys.REFUSED})
    async with transaction(None):
        await hold_session(request)
        codes = await passkeys.add(login_of(request), given.name, given.answer, relying_party, challenge.value, at)
        await renew_session(request, reader.credential_id, at, factor="passkey")
    return await begun(request, reader, codes, lacked_one=lacked_one)


@post("/account/passkeys/{passkey:int}/removal", guards=[signed_in])
async def remove(
    request: Web,
    reader: NamedDependency[Any],
    at: NamedDependency[datetime],
    passkey: FromPath[int],
) -> Response[Any]:
    """Remove one of the reader's passkeys, and redirect to the page of second factors.

    If the reader has not typed the password recently, remove nothing and redirect to the page that asks for it.
    """
    return await removed(request, reader, at, passkey=passkey)


handlers: list[Any] = [show, add, remove]
