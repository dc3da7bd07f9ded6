"""Credentials: how contacts and agents sign in, and how their mail address and password are checked (R1-R6).

A login is a mail address with its password and second factors. It belongs to one agent, or to all contacts with this
mail address. These contacts belong to different customers. Each contact has a credential, and one of these credentials
holds the login.
"""

import asyncio
import hashlib
from datetime import datetime
from typing import Any

from piccolo.columns import BigInt, BigSerial, Boolean, Text, Timestamptz
from piccolo.table import Table

from portal.database import current, transaction
from portal.database.rows import insert_one, one
from portal.database.uniqueness import unless_taken
from portal.errors import Invalid
from portal.mailboxes import canonical
from portal.people.access import attempts, invitations, passwords, sessions
from portal.people.access.passwords import Proven, mark_of

PER_ACCOUNT = attempts.Limit(free=10)
"""Rate limit for wrong passwords of one account from one IP address."""
PER_ADDRESS = attempts.Limit(free=100)
"""Rate limit for wrong passwords of all accounts together from one IP address."""

WRONG = "The mail address or the password is not right."
USED = "Somebody signs in with this address already."


class Credential(Table, tablename="credential"):
    """The access of exactly one agent, or of one contact to their customer.

    `login_id` is the id of the credential that holds the login: this one, or the credential of another contact with the
    same mail address. Only the credential that holds the login has second factors and a `password_hash`, which is None
    until the person sets a password. `accepted_at` is the instant at which the person accepted this access, or None for
    a person who is only invited. `disabled_at` is the instant at which the access ended, or None; contacts of a
    customer that has ended cannot sign in either.
    """

    id = BigSerial(primary_key=True)
    email = Text(default=None)
    password_hash = Text(null=True, default=None, secret=True)
    agent_id = BigInt(null=True, default=None)
    customer_id = BigInt(null=True, default=None)
    contact_id = BigInt(null=True, default=None)
    created_at = Timestamptz(default=None)
    disabled_at = Timestamptz(null=True, default=None)
    login_id = BigInt(default=None)
    accepted_at = Timestamptz(null=True, default=None)
    has_password = Boolean(default=None)
    """Whether there is a password. The database computes it, because the agents' role may not read the hash."""


async def verify(email: str, password: str, *, address: str, at: datetime, joining: int | None = None) -> Proven:
    """Check a mail address and a password, and return the proof that they belong to a login.

    Raise `Invalid` for a wrong password, an unknown mail address, a person whose access has ended, and a person without
    a password. The error message and the response time are the same in these four cases, so that the response does not
    reveal who has an account (R5). Raise `TooMany` after too many wrong passwords from this IP address (`address`, R6),
    and `Unavailable` if too many passwords are being hashed. The right password resets the count of wrong ones, and is
    hashed again if the stored hash has outdated parameters. The credential with the id `joining`, which the person is
    about to accept, counts as accepted. Call this function outside a transaction: it opens short ones, so that attempts
    are counted even if the sign-in is refused, and no database connection is held while a password is hashed.
    """
    source = f"sign-in {attempts.source(address)}"
    # Wait for a hashing slot before counting, so that only a few attempts are in progress that are not counted yet.
    async with passwords.slot():
        async with transaction(None):
            account = f"{source} {account_of(email)}"
            tries = await attempts.admit({account: PER_ACCOUNT, source: PER_ADDRESS}, at)
            found = await _known(email, joining)
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


async def hold(proven: Proven, *, joining: int | None = None) -> None:
    """Lock the login until the transaction ends, so that password and access stay as `verify` found them.

    The credential with the id `joining`, which the person is about to accept, counts as accepted. Raise `Invalid` if
    the password was changed or the access has ended since `verify`.
    """
    row = await current().fetchrow(
        f"{_LOGIN} where h.id = $2 and h.login_id = h.id for update of h", joining, proven.login_id
    )
    if row is None or row["disabled"] or not row["password_hash"] or mark_of(row["password_hash"]) != proven.mark:
        raise Invalid({"": WRONG})


async def memberships(login_id: int) -> list[int]:
    """Return the ids of the credentials of a login that the person has accepted and that still give access.

    The credential that was used or accepted last comes first.
    """
    rows = await current().fetch(_MEMBERSHIPS, login_id)
    return [row["id"] for row in rows]


async def join(token: str, password: str, *, address: str, at: datetime) -> Proven:
    """Accept an invitation to a further customer for somebody who has a login already, and return what `verify` returns.

    `password` is the present password of the login; it stays the same. `address` is the IP address of the browser.
    Raise `NotFound` for a token that `invitations.find` refuses. Raise `Invalid`, `TooMany` and `Unavailable` as
    `verify` does.
    """
    async with transaction(None, readonly=True):
        invited = await invitations.find(token, at)
    joining = invited.credential_id
    proven = await verify(invited.email, password, address=address, at=at, joining=joining)
    async with transaction(None):
        await hold(proven, joining=joining)
        await invitations.use(token, at)
        is_new = (Credential.id == joining) & Credential.accepted_at.is_null()
        await Credential.update({Credential.accepted_at: at}).where(is_new)
    return proven


async def find_active(email: str) -> int | None:
    """Return the id of the login with this mail address, or None if nobody can sign in with it.

    A person who has no password, or whose access has ended, cannot sign in.
    """
    found = await _known(email)
    return int(found["id"]) if found and found["password_hash"] and not found["disabled"] else None


async def of_customer(customer_id: int) -> list[int]:
    """Return the ids of the credentials of all contacts of a customer, even of those who left, in ascending order."""
    ids = Credential.select(Credential.id).where(Credential.customer_id == customer_id).order_by(Credential.id)
    return await ids.output(as_list=True)


async def open_for_agent(agent_id: int, email: str, at: datetime) -> int:
    """Create a credential without a password for an agent, and return its id.

    Raise `Invalid` at the field `email` if another person has this mail address.
    """
    return await _open(email, agent_id, None, None, at)


async def open_for_contact(customer_id: int, contact_id: int, email: str, at: datetime) -> int:
    """Create a credential without a password for a contact, and return its id.

    Raise `Invalid` at the field `email` if an agent or another contact of the same customer has this mail address. If
    contacts of other customers have this mail address, the credential joins their login.
    """
    return await _open(email, None, customer_id, contact_id, at)


async def _open(email: str, agent_id: int | None, customer_id: int | None, contact_id: int | None, at: datetime) -> int:
    # Piccolo's insert would name `has_password` too, which the database computes.
    row = {"email": email, "agent_id": agent_id, "customer_id": customer_id, "contact_id": contact_id, "created_at": at}
    async with unless_taken("email", USED):
        credential: int = await insert_one(Credential, row, returning="id")
    return credential


async def change_email(credential: int, email: str, at: datetime) -> None:
    """Change the mail address of a credential. Raise `Invalid` at the field `email` if the new address is taken.

    Only contacts of different customers can have the same mail address. The person's open invitation and password-reset
    links end, because they were sent to the old mail address. If the person has access to other customers too, or if a
    contact of another customer has the new mail address, database triggers take the credential out of its login and end
    its sessions. Then only the person's other credentials keep the old password, and the person has to be invited again
    at the new mail address.
    """
    other = (Credential.id == credential) & (Credential.email != email)
    async with unless_taken("email", USED):
        changed = await Credential.update({Credential.email: email}).where(other).returning(Credential.id)
    if changed:
        await invitations.end_all(credential, at)


async def change_password(login: int, password_hash: str, at: datetime) -> None:
    """Store a new password hash, which `passwords.chosen` returned.

    The caller's transaction must run as the sign-in role.

    All sessions and open invitation and reset links of the person end, and a mail tells the person of the change (R17).
    """
    await sessions.end_all_of_login(login, at)
    await Credential.update({Credential.password_hash: password_hash}).where(Credential.id == login)
    await invitations.end_all_of_login(login, at)
    await invitations.tell_of_change(login, at)


async def set_first_password(credential: int, password_hash: str) -> None:
    """Set the first password of an account. An account that has a password keeps it.

    The caller's transaction must run as the agents' role.
    """
    await current().execute("select set_first_password($1, $2)", credential, password_hash)


async def disable(credential: int, at: datetime) -> None:
    """End the access of a credential, its sessions, and its open invitation and reset links at once (R12).

    Calling it again has no further effect.
    """
    enabled = (Credential.id == credential) & Credential.disabled_at.is_null()
    await Credential.update({Credential.disabled_at: at}).where(enabled)
    await sessions.end_all(credential, at)
    await invitations.end_all(credential, at)


async def enable(credential: int) -> None:
    """Restore the access of a credential. The person's old password is valid again."""
    await Credential.update({Credential.disabled_at: None}).where(Credential.id == credential)


def account_of(email: str) -> str:
    """Return the part of a rate-limit key that stands for an account, the same for all spellings of its mail address.

    The part is a hash, because somebody may have typed a password as the mail address, and no password may be stored.
    """
    return hashlib.sha256((_canonical(email) or email).encode("utf-8", "surrogatepass")).hexdigest()


async def forget_tries(email: str, address: str) -> None:
    """Reset the count of wrong passwords for this account from this IP address.

    The caller's transaction must run as the sign-in role.
    """
    await attempts.forget(f"sign-in {attempts.source(address)} {account_of(email)}")


async def _known(email: str, joining: int | None = None) -> Any:
    """Return the columns id, password_hash and disabled of the login with this mail address, or None if there is none.

    `disabled` is false if at least one credential of the login has been accepted and has not ended. The credential with
    the id `joining` counts as accepted.
    """
    return await current().fetchrow(f"{_LOGIN} where h.email = $2 and h.login_id = h.id", joining, _canonical(email))


_LOGIN = """
select h.id, h.password_hash, not exists (
  select from credential c cross join lateral person_of(c.id) p
  where c.login_id = h.id and not p.disabled and (c.accepted_at is not null or c.id = $1)) as disabled
from credential h
"""
_MEMBERSHIPS = """
select c.id from credential c cross join lateral person_of(c.id) p
where c.login_id = $1 and c.accepted_at is not null and not p.disabled
order by greatest(c.accepted_at, (select max(s.last_used_at) from session s where s.credential_id = c.id)) desc, c.id
"""


def _canonical(email: str) -> str:
    """Return the canonical spelling of a mail address, or "", which no account has, for text that is not a mail address."""
    try:
        return canonical(email)
    except ValueError:
        return ""
