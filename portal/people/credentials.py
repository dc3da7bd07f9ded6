"""Credentials: the mail address and password with which contacts and agents sign in, and how they are checked (R1-R6)."""

import asyncio
import hashlib
from datetime import datetime
from typing import Any, ClassVar

from piccolo.columns import BigInt, BigSerial, Boolean, Text, Timestamptz
from piccolo.table import Table

from portal.database import current, transaction
from portal.database.rows import Endable, insert_one, one
from portal.database.uniqueness import unless_taken
from portal.errors import Invalid
from portal.mailboxes import canonical
from portal.people import attempts, invitations, passwords, sessions
from portal.people.passwords import Proven, mark_of

PER_ACCOUNT = attempts.Limit(free=10)
"""Rate limit for wrong passwords of one account from one IP address."""
PER_ADDRESS = attempts.Limit(free=100)
"""Rate limit for wrong passwords of all accounts together from one IP address."""

WRONG = "The e-mail address or the password is not right."
USED = "Somebody signs in with this address already."


class Credential(Table, tablename="credential"):
    """The mail address and password of exactly one agent or contact.

    `password_hash` is None until the person sets a password. `disabled_at` is the instant at which the person's own access
    ended, or None; contacts of a customer that has ended cannot sign in either.
    """

    id = BigSerial(primary_key=True)
    email = Text(default=None)
    password_hash = Text(null=True, default=None, secret=True)
    agent_id = BigInt(null=True, default=None)
    customer_id = BigInt(null=True, default=None)
    contact_id = BigInt(null=True, default=None)
    created_at = Timestamptz(default=None)
    disabled_at = Timestamptz(null=True, default=None)
    has_password = Boolean(default=None)
    """Whether there is a password. The database computes it, because the agents' role may not read the hash."""


async def verify(email: str, password: str, *, address: str, at: datetime) -> Proven:
    """Check a mail address and a password, and return the proof that they belong to a credential.

    Call this function outside a transaction. It opens short transactions of its own, so that attempts are counted even
    if the sign-in is refused, and no database connection is held while a password is hashed. The right password resets
    the count, and its hash is renewed if the parameters are outdated. `address` is the IP address of the browser. Raise
    `TooMany` after too many wrong passwords from this IP address (R6), and `Unavailable` if too many passwords are
    being hashed. Raise `Invalid` with the same sentence and after the same work for a wrong password, an unknown mail
    address, a person whose access has ended and a person without a password, so that the response does not reveal who
    has an account (R5).
    """
    source = f"sign-in {attempts.source(address)}"
    # Wait for a hashing slot before counting, so that only a few attempts are in progress that are not counted yet.
    async with passwords.slot():
        async with transaction(None):
            account = f"{source} {account_of(email)}"
            tries = await attempts.admit({account: PER_ACCOUNT, source: PER_ADDRESS}, at)
            found = await _known(email)
        known_hash: str | None = found["password_hash"] if found else None
        is_right = await asyncio.to_thread(passwords.matches, known_hash, password)
        if not is_right or known_hash is None or found["disabled"]:
            raise Invalid({"": WRONG})
        fresh = await asyncio.to_thread(passwords.renewed, known_hash, password)
    of_person = Credential.id == found["id"]
    async with transaction(None):
        await attempts.forget(account)
        await attempts.withdraw(tries[source])
        renewal = Credential.update({Credential.password_hash: fresh}).returning(Credential.id)
        if fresh is None or await renewal.where(of_person, Credential.password_hash == known_hash):
            return Proven(found["id"], mark_of(fresh or known_hash))
        stored = (await one(Credential.objects().where(of_person))).password_hash
    # A simultaneous sign-in has renewed the hash, or the password was changed: check the hash that is stored now.
    async with passwords.slot():
        if not await asyncio.to_thread(passwords.matches, stored, password):
            raise Invalid({"": WRONG})
    return Proven(found["id"], mark_of(stored))


async def hold(proven: Proven) -> None:
    """Lock the credential until the transaction ends, so that password and access stay as `verify` found them.

    Raise `Invalid` if the password was changed or the access was ended since.
    """
    row = await current().fetchrow(
        "select c.password_hash, p.disabled from credential c, person_of(c.id) p where c.id = $1 for update of c",
        proven.credential_id,
    )
    if row is None or row["disabled"] or not row["password_hash"] or mark_of(row["password_hash"]) != proven.mark:
        raise Invalid({"": WRONG})


async def find_active(email: str) -> int | None:
    """Return the id of the credential with this mail address, or None if nobody can sign in with it.

    A person who has no password, or whose access has ended, cannot sign in.
    """
    found = await _known(email)
    return int(found["id"]) if found and found["password_hash"] and not found["disabled"] else None


async def of_customer(customer_id: int) -> list[int]:
    """Return the ids of the credentials of all contacts of a customer, also of those who have left, in ascending order."""
    ids = Credential.select(Credential.id).where(Credential.customer_id == customer_id).order_by(Credential.id)
    return await ids.output(as_list=True)


async def open_for_agent(agent_id: int, email: str, at: datetime) -> int:
    """Create a credential without a password for an agent, and return its id.

    Raise `Invalid` at the field `email` if another person has this mail address.
    """
    return await _open(email, agent_id, None, None, at)


async def open_for_contact(customer_id: int, contact_id: int, email: str, at: datetime) -> int:
    """Create a credential without a password for a contact, and return its id.

    Raise `Invalid` at the field `email` if another person has this mail address.
    """
    return await _open(email, None, customer_id, contact_id, at)


async def _open(email: str, agent_id: int | None, customer_id: int | None, contact_id: int | None, at: datetime) -> int:
    # Piccolo's insert would name `has_password` too, which the database computes.
    row = {"email": email, "agent_id": agent_id, "customer_id": customer_id, "contact_id": contact_id, "created_at": at}
    async with unless_taken("email", USED):
        credential: int = await insert_one(Credential, row, returning="id")
    return credential


async def change_email(credential: int, email: str, at: datetime) -> None:
    """Change the mail address of a credential. Raise `Invalid` if another person has the new mail address.

    Open invitation and password-reset links end, because they were sent to the old mail address.
    """
    other = (Credential.id == credential) & (Credential.email != email)
    async with unless_taken("email", USED):
        changed = await Credential.update({Credential.email: email}).where(other).returning(Credential.id)
    if changed:
        await invitations.end_all(credential, at)


async def change_password(credential: int, password_hash: str, at: datetime) -> None:
    """Store a new password hash, which `passwords.chosen` returned. Run as the sign-in role.

    All sessions and open invitation and reset links of the person end, and a mail tells the person of the change
    (R17).
    """
    await sessions.end_all(credential, at)
    await Credential.update({Credential.password_hash: password_hash}).where(Credential.id == credential)
    await invitations.end_all(credential, at)
    await invitations.tell_of_change(credential, at)


class Person(Endable):
    """Base of the table classes `Agent` and `Contact`, whose rows are people who sign in with a credential.

    `credential_key` is the column of `credential` that holds the id of the agent or contact.
    """

    credential_key: ClassVar[str]

    async def credential(self) -> Any:
        """Return the `id` and the `email` of the person's credential as a dictionary."""
        of_person = getattr(Credential, self.credential_key) == self.id
        return await Credential.select(Credential.id, Credential.email).where(of_person).first()

    async def end(self, at: datetime) -> None:
        """End the person's access, their sessions and their open links at once (R12). Idempotent. What they wrote stays."""
        await super().end(at)
        await disable((await self.credential())["id"], at)

    async def resume(self) -> None:
        """Restore the access of a person who has left. Their old password is valid again."""
        await super().resume()
        await enable((await self.credential())["id"])


async def set_first_password(credential: int, password_hash: str) -> None:
    """Set the first password of an account. Run as the agents' role. An account that has a password keeps it."""
    await current().execute("select set_first_password($1, $2)", credential, password_hash)


async def disable(credential: int, at: datetime) -> None:
    """End the person's access, all their sessions and their open invitation and reset links at once (R12). Idempotent."""
    enabled = (Credential.id == credential) & Credential.disabled_at.is_null()
    await Credential.update({Credential.disabled_at: at}).where(enabled)
    await sessions.end_all(credential, at)
    await invitations.end_all(credential, at)


async def enable(credential: int) -> None:
    """Restore the person's access. Their old password is valid again."""
    await Credential.update({Credential.disabled_at: None}).where(Credential.id == credential)


def account_of(email: str) -> str:
    """Return the part of a rate-limit key that stands for an account, the same for all spellings of its mail address.

    It is a hash, because what somebody typed into the field may be a password and must not be stored.
    """
    return hashlib.sha256((_canonical(email) or email).encode("utf-8", "surrogatepass")).hexdigest()


async def forget_tries(email: str, address: str) -> None:
    """Reset the count of wrong passwords for this account from this IP address. Run as the sign-in role."""
    await attempts.forget(f"sign-in {attempts.source(address)} {account_of(email)}")


async def _known(email: str) -> Any:
    """Return a row with the columns id, password_hash and disabled of the credential with this mail address, or None.

    `disabled` is true if the person's access, or that of their customer, has ended.
    """
    return await current().fetchrow(
        "select c.id, c.password_hash, p.disabled from credential c, person_of(c.id) p where c.email = $1",
        _canonical(email),
    )


def _canonical(email: str) -> str:
    """Return the canonical spelling of a mail address, or "", which no account has, for text that is not a mail address."""
    try:
        return canonical(email)
    except ValueError:
        return ""
