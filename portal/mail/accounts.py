"""Write the mails about accounts: links that sign in, and changes of a password or a second factor (R7, R17)."""

from datetime import datetime

from portal.contracts.company import Company
from portal.database import transaction
from portal.mail.composing import Mail, compose
from portal.mail.receivers import owner_of_login, receiver_of
from portal.people.access import invitations
from portal.people.factors.notices import FactorChange
from portal.people.readers import SYSTEM, Reader
from portal.settings import Settings

WHAT: dict[FactorChange, str] = {
    "authenticator_added": "an authenticator app was set up",
    "authenticator_removed": "the authenticator app was removed",
    "passkey_added": "a passkey was added",
    "passkey_removed": "a passkey was removed",
    "codes_renewed": "new recovery codes were made, and the earlier ones no longer work",
    "all_removed": "an administrator removed it, so that you sign in with your password alone",
}
"""What happened to the second factors of a login, as a clause of the mail."""


async def password_reset(login_id: int, settings: Settings, at: datetime) -> Mail | None:
    """Create a link to reset the password of a login, and return the mail with the link.

    Earlier such links of the login stop working. Return None if the login is unknown or its owner has lost access.
    """
    async with transaction(None) as tx:
        receiver = await owner_of_login(tx, login_id)
        if receiver is None:
            return None
        token = await invitations.begin_reset(receiver.credential_id, at)
    return await _reset(settings, receiver, token, at)


async def _reset(settings: Settings, receiver: Reader, token: str, at: datetime) -> Mail:
    return await compose(
        settings, receiver, "password_reset", "Choose a new password", at, link=f"{settings.base_url}/password-resets/{token}",
        until=at + invitations.RESET_VALID,
    )  # fmt: skip


async def invitation(invitation_id: int, settings: Settings, at: datetime) -> Mail | None:
    """Make the token of a link that somebody asked the portal to mail, and return the mail with this link.

    The link is for an invitation or a new password. Return None if the link was mailed already, has ended (used,
    replaced or withdrawn) or has expired, or if the recipient has lost access. Each mail has a new Message-ID, because
    a mail that is sent again has a new link.
    """
    async with transaction(None) as tx:
        made = await invitations.renew(invitation_id, at)
        receiver = await receiver_of(tx, made.credential_id) if made else None
        inviter = await receiver_of(tx, made.made_by_id) if made and made.made_by_id else None
        if made is None or receiver is None:
            return None
        joins = (await invitations.find(made.token, at, made.kind)).joins
    if made.kind == "reset":
        return await _reset(settings, receiver, made.token, at)
    async with transaction(SYSTEM, readonly=True):
        company = await Company.find()
    house = company.name if company else ""
    return await compose(
        settings, receiver, "invitation", f"Your access to the portal of {house}" if house else "Your access to the portal", at,
        link=f"{settings.base_url}/invitations/{made.token}", until=made.expires_at, house=house, joins=joins,
        inviter=inviter.name if inviter else "",
    )  # fmt: skip


async def _owner(login_id: int) -> Reader | None:
    """Return the owner of a login, as `owner_of_login` does, in a transaction of its own."""
    async with transaction(None, readonly=True) as tx:
        return await owner_of_login(tx, login_id)


async def password_changed(login_id: int, changed_at: datetime, settings: Settings, at: datetime) -> Mail | None:
    """Return the mail that tells the owner of a login that its password was changed at `changed_at` (R17).

    Return None if the login is unknown or its owner has lost access.
    """
    if (receiver := await _owner(login_id)) is None:
        return None
    return await compose(
        settings, receiver, "password_changed", "Your password was changed", at, changed_at=changed_at,
        link=f"{settings.base_url}/sign-in", id=f"changed.{login_id}.{changed_at.timestamp():.6f}",
    )  # fmt: skip


async def factor_changed(
    login_id: int, change: FactorChange, changed_at: datetime, settings: Settings, at: datetime
) -> Mail | None:
    """Return the mail that tells the owner of a login how its second factors were changed at `changed_at` (R17).

    Return None if the login is unknown or its owner has lost access.
    """
    if (receiver := await _owner(login_id)) is None:
        return None
    return await compose(
        settings, receiver, "factor_changed", "Your second factor was changed", at, changed_at=changed_at, what=WHAT[change],
        link=f"{settings.base_url}/sign-in", id=f"factor.{login_id}.{change}.{changed_at.timestamp():.6f}",
    )  # fmt: skip
