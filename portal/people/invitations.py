"""Links by which somebody chooses their own password, once: an invitation for 72 hours, a reset for one (R7)."""

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
from portal.errors import NotFound
from portal.people import passwords, sessions
from portal.people.passwords import Proven, mark_of

Kind = Literal["invitation", "reset"]

VALID = timedelta(hours=72)
RESET_VALID = timedelta(hours=1)

ENDED = "This link has been used or has ended. Ask for a new one."


class Invitation(Table, tablename="invitation"):
    """Only the token's SHA-256 is kept: who reads the table or a backup cannot sign in by it."""

    id = BigSerial(primary_key=True)
    kind = Text(default=None)
    token_hash = Bytea(default=None)
    credential_id = BigInt(default=None)
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(default=None)
    ended_at = Timestamptz(null=True, default=None)


@dataclass(frozen=True, slots=True)
class Invited:
    """Whom an open link is for. `customer_name` is None for an agent."""

    credential_id: int
    email: str
    name: str
    customer_name: str | None


async def invite(credential: int, at: datetime) -> str:
    """A new token for the link `/invitations/{token}`, shown once and kept by nobody. Earlier invitations of the same person end."""
    return await _begin("invitation", credential, at, VALID)


async def begin_reset(credential: int, at: datetime) -> str:
    """A new token for the link `/password-resets/{token}`; earlier resets of the same person end. An open invitation stays:
    whoever knows somebody's address may ask for a reset, and must not take it from them."""
    return await _begin("reset", credential, at, RESET_VALID)


async def find(token: str, at: datetime, kind: Kind = "invitation") -> Invited:
    """Whom this token is for, as the sign-in role. Raises `NotFound`, in the same words whatever is wrong with it."""
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
    """Set the password, and say whose it is. Every session and every link of this person ends; after a reset they are mailed.

    Call it outside of a transaction: it opens its own, so that no connection and no lock waits while the password is hashed.
    `known`: further names that a password must not consist of, such as our company's. Raises `NotFound` for a token that is used, ended or
    unknown, `Invalid` for a password that is refused; the link then stays open.
    """
    async with transaction(None, readonly=True):
        invited = await find(token, at, kind)
    password_hash = await passwords.chosen(password, [invited.email, invited.name, invited.customer_name or "", *known])
    async with transaction(None) as tx:
        # First, for whatever else changes a password locks the person first.
        await sessions.end_all(invited.credential_id, at)
        taken = await tx.fetchval(
            "update invitation set ended_at = $2 where token_hash = $1 and ended_at is null returning id",
            sessions.hash_of(token), at,
        )  # fmt: skip
        if taken is None:  # used or withdrawn while the password was hashed
            raise NotFound(ENDED)
        await end_all(invited.credential_id, at)
        await tx.execute("update credential set password_hash = $2 where id = $1", invited.credential_id, password_hash)
        if kind == "reset":
            await tell_of_change(invited.credential_id, at)
    return Proven(invited.credential_id, mark_of(password_hash))


async def tell_of_change(credential: int, at: datetime) -> None:
    """Have the owner of an account mailed that its password is another one, in case it was not they."""
    await jobs.enqueue("mail_password_changed", credential=credential, at=at.isoformat())


async def end_all(credential: int, at: datetime) -> None:
    """End every link of a person: the password, the address or the person's access has changed."""
    await current().execute(
        "update invitation set ended_at = $2 where credential_id = $1 and ended_at is null", credential, at
    )


async def _begin(kind: Kind, credential: int, at: datetime, valid: timedelta) -> str:
    tx, token = current(), secrets.token_urlsafe(32)
    # The row lock makes two at once take turns, so that one of both ends the other's.
    if await tx.fetchval("select id from credential where id = $1 for update", credential) is None:
        raise NotFound
    await tx.execute(
        "update invitation set ended_at = $2 where credential_id = $1 and kind = $3 and ended_at is null",
        credential, at, kind,
    )  # fmt: skip
    await tx.execute(
        "insert into invitation (kind, token_hash, credential_id, created_at, expires_at) values ($1, $2, $3, $4, $5)",
        kind, sessions.hash_of(token), credential, at, at + valid,
    )  # fmt: skip
    return token
