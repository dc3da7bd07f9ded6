"""Credentials: the one way in for contacts and agents alike, and the check of a password at the door (R1 to R6)."""

import asyncio
import hashlib
from datetime import datetime
from typing import Any

from piccolo.columns import BigInt, BigSerial, Boolean, Text, Timestamptz
from piccolo.table import Table

from portal.database import current, transaction
from portal.database.uniqueness import unless_taken
from portal.errors import Invalid
from portal.mailboxes import canonical
from portal.people import attempts, invitations, passwords, sessions
from portal.people.passwords import Proven, mark_of

PER_ACCOUNT = attempts.Limit(free=10)
"""Wrong passwords for one account from one address on the net."""
PER_ADDRESS = attempts.Limit(free=100)
"""Wrong passwords for whomever from one address on the net."""

WRONG = "The e-mail address or the password is not right."
USED = "Somebody signs in with this address already."


class Credential(Table, tablename="credential"):
    """Who signs in with which address; exactly one of agent and contact stands behind it."""

    id = BigSerial(primary_key=True)
    email = Text(default=None)
    password_hash = Text(null=True, default=None, secret=True)
    agent_id = BigInt(null=True, default=None)
    customer_id = BigInt(null=True, default=None)
    contact_id = BigInt(null=True, default=None)
    created_at = Timestamptz(default=None)
    disabled_at = Timestamptz(null=True, default=None)
    has_password = Boolean(default=None)
    """Computed by the database, for the agents' role, which may not read the hash."""


async def verify(email: str, password: str, *, address: str, at: datetime) -> Proven:
    """Whose address and password these are. Call it outside of a transaction.

    It opens short ones of its own: tries are counted even where the answer is a refusal, and no connection waits while a password is hashed.
    Raises `Invalid` with the same sentence after the same work for a wrong password, an unknown address, somebody who has ended and somebody
    who has no password yet (R5); `TooMany` after too many wrong ones from `address` (R6).
    """
    source = f"sign-in {attempts.source(address)}"
    async with passwords.slot():  # first, so that the tries that are in work and not yet counted out are few
        async with transaction(None):
            account = f"{source} {account_of(email)}"
            tries = await attempts.admit({account: PER_ACCOUNT, source: PER_ADDRESS}, at)
            found = await _known(email)
        known_hash: str | None = found["password_hash"] if found else None
        is_right = await asyncio.to_thread(passwords.matches, known_hash, password)
        if not is_right or known_hash is None or found["disabled"]:
            raise Invalid({"": WRONG})
        fresh = await asyncio.to_thread(passwords.renewed, known_hash, password)
    async with transaction(None) as tx:
        await attempts.forget(account)
        await attempts.withdraw(tries[source])
        if fresh is None or await tx.fetchval(
            "update credential set password_hash = $1 where id = $2 and password_hash = $3 returning true",
            fresh, found["id"], known_hash,
        ):  # fmt: skip
            return Proven(found["id"], mark_of(fresh or known_hash))
        stored = await tx.fetchval("select password_hash from credential where id = $1", found["id"])
    # Somebody signed in with it at the same moment and has renewed it, or it is another one by now.
    async with passwords.slot():
        if not await asyncio.to_thread(passwords.matches, stored, password):
            raise Invalid({"": WRONG})
    return Proven(found["id"], mark_of(stored))


async def hold(proven: Proven) -> None:
    """Raise `Invalid` where the password was changed since, or access was taken away; else it is not before this transaction ends."""
    row = await current().fetchrow(
        "select c.password_hash, p.disabled from credential c, person_of(c.id) p where c.id = $1 for update of c",
        proven.credential_id,
    )
    if row is None or row["disabled"] or not row["password_hash"] or mark_of(row["password_hash"]) != proven.mark:
        raise Invalid({"": WRONG})


async def find_active(email: str) -> int | None:
    """The id of the credential with this address whose owner has a password and has not ended."""
    found = await _known(email)
    return int(found["id"]) if found and found["password_hash"] and not found["disabled"] else None


async def open_for_agent(agent_id: int, email: str, at: datetime) -> int:
    """A credential without a password; raises `Invalid` for an address that is in use."""
    return await _open(email, agent_id, None, None, at)


async def open_for_contact(customer_id: int, contact_id: int, email: str, at: datetime) -> int:
    """The same for a contact."""
    return await _open(email, None, customer_id, contact_id, at)


async def _open(email: str, agent_id: int | None, customer_id: int | None, contact_id: int | None, at: datetime) -> int:
    async with unless_taken("email", USED) as tx:
        credential: int = await tx.fetchval(
            "insert into credential (email, agent_id, customer_id, contact_id, created_at)"
            " values ($1, $2, $3, $4, $5) returning id",
            email, agent_id, customer_id, contact_id, at,
        )  # fmt: skip
    return credential


async def change_email(credential: int, email: str, at: datetime) -> None:
    """Sign in with another address from now on. Open links went to the old one: they end."""
    async with unless_taken("email", USED) as tx:
        changed = await tx.fetchval(
            "update credential set email = $2 where id = $1 and email <> $2 returning id", credential, email
        )
    if changed:
        await invitations.end_all(credential, at)


async def change_password(credential: int, password_hash: str, at: datetime) -> None:
    """Sign in with another password from now on (its hash by `passwords.chosen`). Every session and invitation of this person ends,
    and they are mailed (R17). As the sign-in role."""
    await sessions.end_all(credential, at)
    await current().execute("update credential set password_hash = $2 where id = $1", credential, password_hash)
    await invitations.end_all(credential, at)
    await invitations.tell_of_change(credential, at)


async def set_first_password(credential: int, password_hash: str) -> None:
    """Set the password of an account that has none yet, as the agents' role. A password that is there stays as it is."""
    await current().execute("select set_first_password($1, $2)", credential, password_hash)


async def disable(credential: int, at: datetime) -> None:
    """Out at once, everywhere (R12): sessions and invitations end. Repeating it changes nothing."""
    tx = current()
    await tx.execute("update credential set disabled_at = $2 where id = $1 and disabled_at is null", credential, at)
    await sessions.end_all(credential, at)
    await invitations.end_all(credential, at)


async def enable(credential: int) -> None:
    """May sign in again, with the password of before."""
    await current().execute("update credential set disabled_at = null where id = $1", credential)


def account_of(email: str) -> str:
    """Return the key under which tries at the account with this address are counted, the same for each of its spellings.

    It holds nothing that somebody typed.
    """
    return hashlib.sha256((_canonical(email) or email).encode("utf-8", "surrogatepass")).hexdigest()


async def forget_tries(email: str, address: str) -> None:
    """Wrong passwords for this account from there count no more. As the sign-in role."""
    await attempts.forget(f"sign-in {attempts.source(address)} {account_of(email)}")


async def _known(email: str) -> Any:
    return await current().fetchrow(
        "select c.id, c.password_hash, p.disabled from credential c, person_of(c.id) p where c.email = $1",
        _canonical(email),
    )


def _canonical(email: str) -> str:
    """Return the spelling that is stored; "", which nobody has, for what is no address."""
    try:
        return canonical(email)
    except ValueError:
        return ""
