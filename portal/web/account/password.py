"""Let people change their own password (R3, R4, R17)."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from portal.database import transaction
from portal.errors import Invalid, TooMany
from portal.people.access import credentials, passwords
from portal.people.access.passwords import Proven
from portal.people.readers import ContactReader, Reader
from portal.web.account.pages import account_page, hold_session, renew_session
from portal.web.forms import Form
from portal.web.guards import signed_in
from portal.web.pages import on_refusal, see_other
from portal.web.sessionless.invitations import Chosen
from portal.web.visit import Web, visit_of

NOT_CURRENT = "This is not your current password."


class Changed(Chosen, kw_only=True):
    """Form fields of a password change: the new password, typed twice, and the current password."""

    current_password: str


@get("/account/password", guards=[signed_in])
async def show(request: Web) -> Response[str]:
    """Show the form for changing the password."""
    return await _page(request)


async def _page(request: Web, **again: Any) -> Response[str]:
    return await account_page(request, "account/password.html", **again)


@post("/account/password", guards=[signed_in])
@on_refusal(_page, TooMany, only=[])
async def change(
    request: Web,
    reader: NamedDependency[Any],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
) -> Response[Any]:
    """Store the new password, end all sessions of the reader, and redirect to the account page with a new session.

    Raise `Invalid` if the current password is wrong, the new password is refused, or another request changed the
    password in the meantime. Raise `TooMany` after too many wrong passwords.
    """
    visit, given = visit_of(request), form.into(Changed)
    known = [reader.email, reader.name, visit.company.name]
    if isinstance(reader, ContactReader):
        known.append(reader.customer_name)
    password = given.checked()
    proven = await _verify_current(request, reader, given.current_password, at)
    fresh = await passwords.chosen(password, known)
    async with transaction(None):
        await hold_session(request)
        await _refuse_if_changed(proven)
        await credentials.change_password(proven.login_id, fresh, at)
        await renew_session(request, reader.credential_id, at)
    return see_other("/account?done=password")


async def _verify_current(request: Web, reader: Reader, password: str, at: datetime) -> Proven:
    """Check the reader's current password, and return the `Proven` that `credentials.hold` requires.

    Raise `Invalid` at the field `current_password` if the password is wrong, `TooMany` after too many attempts.
    """
    try:
        return await credentials.verify(reader.email, password, address=visit_of(request).address, at=at)
    except Invalid as refusal:
        raise Invalid({"current_password": NOT_CURRENT}) from refusal


async def _refuse_if_changed(proven: Proven) -> None:
    """Raise `Invalid` if the password has been changed since it was checked, when `proven` was made.

    Without this check, the second of two simultaneous password changes would overwrite the first.
    """
    try:
        await credentials.hold(proven)
    except Invalid as refusal:
        raise Invalid({"current_password": NOT_CURRENT}) from refusal


handlers: list[Any] = [show, change]
