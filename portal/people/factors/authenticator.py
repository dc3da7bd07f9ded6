"""Authenticator apps: six digits that change every 30 seconds (RFC 6238). A code counts once, one step early or late (R9)."""

from datetime import datetime

import pyotp

from portal.database import current
from portal.errors import Invalid
from portal.people.factors import recovery, told
from portal.sealing import Broken, Sealer

STEP_SECONDS = 30
_PURPOSE = "authenticator"


def new_secret() -> str:
    """160 random bits in base32, as apps take them."""
    return pyotp.random_base32()


def address(secret: str, *, email: str, company: str) -> str:
    """What the picture holds that an app scans (`otpauth://`)."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=company)


def step_of(secret: str, code: str, at: datetime, *, after: int = 0) -> int | None:
    """Which step's code this is: the current one's or a neighbour's, but none up to `after`, which were used. None: no such step's."""
    generator, here = pyotp.TOTP(secret), int(at.timestamp()) // STEP_SECONDS
    for step in (here, here - 1, here + 1):
        if step > after and pyotp.utils.strings_equal(code, generator.generate_otp(step)):
            return step
    return None


async def set_up(credential_id: int, secret: str, code: str, sealer: Sealer, at: datetime) -> list[str]:
    """Begin to ask for this app's codes, instead of those of an earlier one; `code` shows that the app has the secret.

    Returns recovery codes where the person had none. Raises `Invalid` by the field `code`.
    """
    step = step_of(secret, "".join(code.split()), at)
    if step is None:
        raise Invalid({"code": "This is not the code of this moment. Type the one that the app shows now."})
    await current().execute(
        "insert into authenticator (credential_id, secret, last_step, created_at) values ($1, $2, $3, $4)"
        " on conflict (credential_id) do update"
        " set secret = excluded.secret, created_at = excluded.created_at,"
        " last_step = greatest(authenticator.last_step, excluded.last_step)",  # a form sent again makes no used code fresh
        credential_id, sealer.seal(_PURPOSE, secret, at), step, at,
    )  # fmt: skip
    await told.tell(credential_id, "authenticator_added", at)
    return await recovery.begin(credential_id)


async def use(credential_id: int, code: str, sealer: Sealer, at: datetime) -> bool:
    """Whether it is the person's code of now, unused; it is used afterwards. The row is locked, so that of two at once one counts."""
    tx = current()
    row = await tx.fetchrow(
        "select secret, last_step from authenticator where credential_id = $1 for update", credential_id
    )
    if row is None:
        return False
    try:
        secret = sealer.open(_PURPOSE, row["secret"], at)
    except Broken:  # sealed with a secret of the installation that is gone: the recovery codes are left
        return False
    step = step_of(secret, code, at, after=row["last_step"])
    if step is None:
        return False
    await tx.execute(
        "update authenticator set last_step = $2, secret = $3 where credential_id = $1",
        credential_id, step, sealer.seal(_PURPOSE, secret, at),
    )  # fmt: skip
    return True


async def remove(credential_id: int) -> None:
    """Ask for its codes no more."""
    await current().execute("delete from authenticator where credential_id = $1", credential_id)
