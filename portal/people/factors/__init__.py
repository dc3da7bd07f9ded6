"""Second factors: an authenticator app, passkeys, and recovery codes for people who have lost both (R9, R10).

A person who has set up an authenticator app or a passkey is asked for a second factor after the password. This is so
even when the person has just reset the password by a link.
"""

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from portal.database import current, transaction
from portal.errors import Conflict, Invalid
from portal.people.access import attempts, sessions
from portal.people.factors import authenticator, notices, passkeys, recovery
from portal.people.factors.authenticator import Authenticator
from portal.people.factors.passkeys import ListedPasskey, Passkey
from portal.sealing import Sealer

Factor = Literal["authenticator", "recovery_code", "passkey"]

PER_PERSON = attempts.Limit(free=5)
"""Rate limit for wrong codes of one person from all IP addresses together, because an attacker may use many."""

WRONG = "This code is not right, or was used before. Type the next one that the app shows, or a recovery code that you have not used."


@dataclass(frozen=True, slots=True)
class Factors:
    """The second factors that a person has set up.

    `authenticator_since` is None without an authenticator app; `codes` is the number of unused recovery codes.
    """

    authenticator_since: datetime | None
    passkeys: list[ListedPasskey]
    codes: int

    @property
    def count(self) -> int:
        """Return the number of second factors.

        Recovery codes do not count, because they only replace a factor that was lost.
        """
        return len(self.passkeys) + (self.authenticator_since is not None)


OF = """
select (select created_at from authenticator where credential_id = $1) as authenticator_since,
       (select count(*) from recovery_code where credential_id = $1) as codes,
       p.id, p.name, p.created_at, p.last_used_at
from (values (1)) as one left join passkey p on p.credential_id = $1 order by p.id
"""


async def of(login_id: int) -> Factors:
    """Return the second factors of the person with this login."""
    rows = await current().fetch(OF, login_id)
    names = [field.name for field in dataclasses.fields(ListedPasskey)]
    passkeys = [ListedPasskey(**{name: row[name] for name in names}) for row in rows if row["id"] is not None]
    return Factors(rows[0]["authenticator_since"], passkeys, rows[0]["codes"])


async def are_set_up(login_id: int) -> bool:
    """Return whether this person has an authenticator app or a passkey and thus needs a second factor to sign in."""
    return await Authenticator.exists().where(Authenticator.credential_id == login_id) or await Passkey.exists().where(
        Passkey.credential_id == login_id
    )


async def check_code(login_id: int, code: str, sealer: Sealer, at: datetime) -> Factor:
    """Use up a code of a person, and return the kind of factor that it proves.

    A number is taken as a code of the authenticator app, any other text as a recovery code; blanks and hyphens are
    ignored. Call this function outside a transaction: it opens its own, so that an attempt is counted even if the code
    is wrong. A right code resets the count of attempts. `sealer` decrypts the secret of the app. Raise `Invalid` at the
    field `code` for a wrong code, `TooMany` after too many attempts.
    """
    await admit(login_id, at)
    plain = "".join(code.split()).replace("-", "").lower()
    async with transaction(None):
        if plain.isascii() and plain.isdigit():
            factor: Factor = "authenticator"
            right = await authenticator.use(login_id, plain, sealer, at)
        else:
            factor, right = "recovery_code", await recovery.use(login_id, plain)
        if right:
            await forget_tries(login_id)
    if not right:
        raise Invalid({"code": WRONG if plain else "Type the code that your authenticator app shows."})
    return factor


async def admit(login_id: int, at: datetime) -> None:
    """Count one attempt to prove a second factor, in a transaction of its own.

    Raise `TooMany` after too many attempts.
    """
    async with transaction(None):
        await attempts.admit({_key(login_id): PER_PERSON}, at)


async def forget_tries(login_id: int) -> None:
    """Reset the count of attempts to prove a second factor, because one has succeeded."""
    await attempts.forget(_key(login_id))


async def remove(login_id: int, at: datetime, *, passkey: int | None, keep_one: bool) -> bool:
    """Remove the passkey with the id `passkey`, or the authenticator app if `passkey` is None.

    Return whether the person had this factor. If it is the person's last factor, the recovery codes are removed too. If
    it is the last one and `keep_one` is set, remove nothing and raise `Conflict`. A mail tells the person of the
    removal. The caller's transaction must run as the sign-in role. The credential is locked, so that simultaneous calls
    run one after the other.
    """
    await sessions.take_turns(login_id)
    found = await of(login_id)
    there = (
        found.authenticator_since is not None if passkey is None else any(one.id == passkey for one in found.passkeys)
    )
    if not there:
        return False
    if found.count == 1 and keep_one:
        raise Conflict("Agents need a second factor here: set up another one, then remove this one.")
    if passkey is None:
        await authenticator.remove(login_id)
    else:
        await passkeys.remove(login_id, passkey)
    if found.count == 1:
        await recovery.remove(login_id)
    await notices.mail_change(login_id, "authenticator_removed" if passkey is None else "passkey_removed", at)
    return True


async def remove_all(login_id: int, at: datetime) -> None:
    """Remove all second factors of a person who cannot use them any more, and end the person's sessions.

    A mail tells the person of the removal (R17). The caller's transaction must run as the sign-in role.
    """
    await authenticator.remove(login_id)
    await passkeys.remove_all(login_id)
    await recovery.remove(login_id)
    await sessions.end_all_of_login(login_id, at)
    await notices.mail_change(login_id, "all_removed", at)


def _key(login_id: int) -> str:
    return f"second factor {login_id}"
