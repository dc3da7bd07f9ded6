"""Links by which people set a password: an invitation, valid for 72 hours, and a reset, valid for one hour (R7).

Each link works once.
"""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from piccolo.columns import BigInt, BigSerial, Bytea, Text, Timestamptz
from piccolo.table import Table

from portal import jobs
from portal.database import current, transaction
from portal.database.rows import insert_one
from portal.errors import NotFound
from portal.people import passwords, sessions
from portal.people.passwords import Proven, mark_of

Kind = Literal["invitation", "reset"]

VALID = timedelta(hours=72)
RESET_VALID = timedelta(hours=1)

ENDED = "This link has been used or has ended. Ask for a new one."


class Invitation(Table, tablename="invitation"):
    """One invitation or password-reset link.

    Only the SHA-256 of its token is stored, so that nobody can use a link that they read in the database or a backup.
    `ended_at` is set when the link is used, replaced by a new one or withdrawn; a link that has merely expired has None.
    """

    id = BigSerial(primary_key=True)
    kind = Text(default=None)
    token_hash = Bytea(default=None)
    credential_id = BigInt(default=None)
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(default=None)
    ended_at = Timestamptz(null=True, default=None)


@dataclass(frozen=True, slots=True)
class Invited:
    """The person for whom an open link was created. `customer_name` is None for an agent."""

    credential_id: int
    email: str
    name: str
    customer_name: str | None


async def invite(credential: int, at: datetime) -> str:
    """Create an invitation and return the token for its link `/invitations/{token}`.

    Earlier invitations of the person end. Raise `NotFound` if there is no credential with the id `credential`.
    """
    return await _begin("invitation", credential, at, VALID)


async def begin_reset(credential: int, at: datetime) -> str:
    """Create a password reset, and return the token for its link `/password-resets/{token}`. Earlier resets end.

    An open invitation stays valid: a stranger who knows the mail address can ask for a reset, and must not be able to
    end an invitation in this way. Raise `NotFound` if there is no credential with the id `credential`.
    """
    return await _begin("reset", credential, at, RESET_VALID)


async def find(token: str, at: datetime, kind: Kind = "invitation") -> Invited:
    """Return the person to whom this token belongs. Run as the sign-in role.

    `kind` says whether the token must be that of an invitation or that of a reset. Raise `NotFound` with the same
    sentence for a used, ended, expired or unknown token, and if the person's access has ended.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}", token):
        raise NotFound(ENDED)
    row = await current().fetchrow(
        "select p.* from invitation i cross join lateral person_of(i.credential_id) p"
        " where i.token_hash = $1 and i.kind = $3 and i.ended_at is null and i.expires_at > $2 and not p.disabled",
        sessions.hash_of(token), at, kind,
    )  # fmt: skip
    if row is None:
        raise NotFound(ENDED)
    return Invited(row["credential_id"], row["email"], row["name"], row["customer_name"])


async def accept(
    token: str, password: str, at: datetime, *, kind: Kind = "invitation", known: Iterable[str] = ()
) -> Proven:
    """Set the password of the person to whom this token belongs, and return the proof with which they can be signed in.

    All sessions and links of the person end, and after a reset a mail tells them. Call this function outside a
    transaction: it opens its own, so that no connection and no lock is held while the password is hashed. `known` holds
    words that an attacker would try first, such as the company's name: a password that consists of them is weak. Raise
    `NotFound` for a token that `find` refuses. Raise `Invalid` for a weak password; the link then remains valid.
    """
    async with transaction(None, readonly=True):
        invited = await find(token, at, kind)
    password_hash = await passwords.chosen(password, [invited.email, invited.name, invited.customer_name or "", *known])
    async with transaction(None) as tx:
        # End the sessions first: every change to a password locks the credential first, and the same order everywhere
        # avoids deadlocks.
        await sessions.end_all(invited.credential_id, at)
        is_open = (Invitation.token_hash == sessions.hash_of(token)) & Invitation.ended_at.is_null()
        taken = await Invitation.update({Invitation.ended_at: at}).where(is_open).returning(Invitation.id)
        if not taken:  # used or ended while the password was hashed
            raise NotFound(ENDED)
        await end_all(invited.credential_id, at)
        await tx.execute("update credential set password_hash = $2 where id = $1", invited.credential_id, password_hash)
        if kind == "reset":
            await tell_of_change(invited.credential_id, at)
    return Proven(invited.credential_id, mark_of(password_hash))


async def tell_of_change(credential: int, at: datetime) -> None:
    """Enqueue a mail that tells a person that their password was changed, in case somebody else did it."""
    await jobs.enqueue("mail_password_changed", credential=credential, at=at.isoformat())


async def end_all(credential: int, at: datetime) -> None:
    """End all open invitation and reset links of a person. Call it when their password, mail address or access changes."""
    is_open = (Invitation.credential_id == credential) & Invitation.ended_at.is_null()
    await Invitation.update({Invitation.ended_at: at}).where(is_open)


async def delete_old(at: datetime) -> None:
    """Delete links that expired more than `sessions.KEPT` ago."""
    await Invitation.delete().where(Invitation.expires_at < at - sessions.KEPT)


async def _begin(kind: Kind, credential: int, at: datetime, valid: timedelta) -> str:
    """Store the hash of a new token, end the person's earlier links of the same kind, and return the token.

    The link is valid for the time `valid`. The credential is locked until the transaction ends. Raise `NotFound` if
    there is no such credential.
    """
    token = secrets.token_urlsafe(32)
    if not await sessions.take_turns(credential):  # so that the later of two simultaneous links ends the earlier
        raise NotFound
    same = (Invitation.credential_id == credential) & (Invitation.kind == kind) & Invitation.ended_at.is_null()
    await Invitation.update({Invitation.ended_at: at}).where(same)
    # Piccolo's insert would name `ended_at` too, which the agents' role may not insert.
    row = {
        "kind": kind,
        "token_hash": sessions.hash_of(token),
        "credential_id": credential,
        "created_at": at,
        "expires_at": at + valid,
    }
    await insert_one(Invitation, row, returning="id")
    return token
