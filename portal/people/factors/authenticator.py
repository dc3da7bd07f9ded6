"""Authenticator apps, which show a code of six digits that changes every 30 seconds (RFC 6238).

A code is accepted in its own time step of 30 seconds and in the steps before and after, and only once (R9).
"""

from datetime import datetime

import pyotp
from piccolo.columns import BigInt, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.errors import Invalid
from portal.people.factors import notices, recovery
from portal.sealing import Broken, Sealer

STEP_SECONDS = 30
_PURPOSE = "authenticator"


class Authenticator(Table, tablename="authenticator"):
    """The authenticator app of a person: its encrypted secret, and the last time step whose code was used."""

    credential_id = BigInt(primary_key=True, default=None)
    secret = Text(default=None, secret=True)
    last_step = BigInt(default=None)
    created_at = Timestamptz(default=None)


def new_secret() -> str:
    """Return a new secret of 160 random bits in base32, the encoding that authenticator apps accept."""
    return pyotp.random_base32()


def address(secret: str, *, email: str, company: str) -> str:
    """Return the `otpauth://` URL for the QR code that an authenticator app scans."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=company)


def step_of(secret: str, code: str, at: datetime, *, after: int = 0) -> int | None:
    """Return the number of the time step that this code belongs to, or None if the code is wrong.

    The current step and its two neighbours are tried. Steps up to `after` are not tried: `after` is the step of the
    code that was used last, and a code works only once.
    """
    generator, here = pyotp.TOTP(secret), int(at.timestamp()) // STEP_SECONDS
    for step in (here, here - 1, here + 1):
        if step > after and pyotp.utils.strings_equal(code, generator.generate_otp(step)):
            return step
    return None


async def set_up(credential_id: int, secret: str, code: str, sealer: Sealer, at: datetime) -> list[str]:
    """Store the secret of a person's authenticator app in place of an earlier one, and tell the person by mail.

    `code` proves that the app has the secret, and is used up. `sealer` encrypts the secret. Raise `Invalid` at the
    field `code` if the code is wrong. Return new recovery codes, or an empty list if the person has some already.
    """
    step = step_of(secret, "".join(code.split()), at)
    if step is None:
        raise Invalid({"code": "This is not the code of this moment. Type the one that the app shows now."})
    await current().execute(
        "insert into authenticator (credential_id, secret, last_step, created_at) values ($1, $2, $3, $4)"
        " on conflict (credential_id) do update"
        " set secret = excluded.secret, created_at = excluded.created_at,"
        # A form that is sent twice must not make a used code valid again.
        " last_step = greatest(authenticator.last_step, excluded.last_step)",
        credential_id, sealer.seal(_PURPOSE, secret, at), step, at,
    )  # fmt: skip
    await notices.mail_change(credential_id, "authenticator_added", at)
    return await recovery.begin(credential_id)


async def use(credential_id: int, code: str, sealer: Sealer, at: datetime) -> bool:
    """Use up a code of the person's authenticator app, and return whether it was right and unused.

    Return False as well if the person has no app, or if the app's secret cannot be decrypted. If the code was right,
    the secret is encrypted again with the current key of `sealer`. A row lock lets only one of two simultaneous uses of
    the same code succeed.
    """
    found = await Authenticator.objects().where(Authenticator.credential_id == credential_id).lock_rows().first()
    if found is None:
        return False
    try:
        secret = sealer.open(_PURPOSE, found.secret, at)
    except Broken:  # The key that encrypted the secret no longer exists. Recovery codes still work.
        return False
    step = step_of(secret, code, at, after=found.last_step)
    if step is None:
        return False
    sealed = sealer.seal(_PURPOSE, secret, at)
    await Authenticator.update({Authenticator.last_step: step, Authenticator.secret: sealed}).where(
        Authenticator.credential_id == credential_id
    )
    return True


async def remove(credential_id: int) -> None:
    """Delete the authenticator app of a person, if they have one. Recovery codes stay."""
    await Authenticator.delete().where(Authenticator.credential_id == credential_id)
