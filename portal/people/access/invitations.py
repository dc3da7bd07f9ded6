"""Links by which people set a password: an invitation, valid for 72 hours, and a reset, valid for one hour (R7).

Each link works once. The worker makes a new token when it mails a link, and puts that token in the mail. An invitation
can also be handed over by hand.
"""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from piccolo.columns import BigInt, BigSerial, Boolean, Bytea, Text, Timestamptz
from piccolo.table import Table

from portal import jobs
from portal.database import current, transaction
from portal.database.rows import insert_one
from portal.errors import Conflict, NotFound
from portal.people.access import passwords, sessions
from portal.people.access.passwords import Proven, mark_of

Kind = Literal["invitation", "reset"]

VALID = timedelta(hours=72)
RESET_VALID = timedelta(hours=1)
LATE = timedelta(minutes=5)
"""A mail that the mail server has not accepted after this time is shown as late."""

ENDED = "This link has been used or has ended. Ask for a new one."


class Invitation(Table, tablename="invitation"):
    """One invitation or password-reset link.

    Only the SHA-256 of its token is stored, so that nobody can use a link that they read in the database or a backup.
    `ended_at` is set when the link is used, replaced by a new one or withdrawn; a link that has merely expired has
    None. `mail` is None for a link that is handed over without a mail. For other links, `mail` is "waiting" until a job
    for the mail is enqueued, then "begun", and at last "sent". It becomes "sent" when the mail server accepts the mail,
    at `mailed_at`. The database sets `by_agent` (whether an agent made the link) and `made_by_id` (the credential of
    the person who made it).
    """

    id = BigSerial(primary_key=True)
    kind = Text(default=None)
    token_hash = Bytea(default=None)
    credential_id = BigInt(default=None)
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(default=None)
    ended_at = Timestamptz(null=True, default=None)
    mail = Text(null=True, default=None)
    mailed_at = Timestamptz(null=True, default=None)
    by_agent = Boolean(default=None)
    made_by_id = BigInt(null=True, default=None)


@dataclass(frozen=True, slots=True)
class Invited:
    """The person for whom an open link was created. `customer_name` is None for an agent.

    `joins` is True if the person already signs in with this mail address at another customer. The link then sets no
    password. The person accepts it with their present password, which is valid for all of their customers.
    """

    credential_id: int
    email: str
    name: str
    customer_name: str | None
    joins: bool


async def invite(credential: int, at: datetime) -> str:
    """Create an invitation and return the token for its link `/invitations/{token}`.

    Earlier invitations of the person end. Raise `NotFound` if there is no credential with the id `credential`.
    """
    return await _begin("invitation", credential, at)


async def begin_reset(credential: int, at: datetime) -> str:
    """Create a password reset, and return the token for its link `/password-resets/{token}`. Earlier resets end.

    Open invitations stay valid: a stranger who knows the mail address can request a reset, and must not be able to end
    an invitation in this way. Raise `NotFound` if there is no credential with the id `credential`.
    """
    return await _begin("reset", credential, at)


async def mail(credential: int, kind: Kind, at: datetime) -> None:
    """Create an invitation or a reset whose link the worker mails to the person. Earlier links of the same kind end.

    Nobody but the recipient of the mail learns the link. Raise `NotFound` if there is no such credential.
    """
    await _begin(kind, credential, at, mail="waiting")


async def begin_mails(at: datetime) -> None:
    """Enqueue a job for each link that waits to be mailed and is still valid.

    The caller's transaction must run as `SYSTEM`.

    The function `mail` does not enqueue the job itself, because the database role of a customer's administrators may
    not write to the job queue.
    """
    waiting = (Invitation.mail == "waiting") & Invitation.ended_at.is_null() & (Invitation.expires_at > at)
    for row in await Invitation.update({Invitation.mail: "begun"}).where(waiting).returning(Invitation.id):
        await jobs.enqueue("mail_invitation", invitation=row["id"])


@dataclass(frozen=True, slots=True)
class Renewed:
    """A link with a new token, which is about to be mailed to the person with this credential.

    `made_by_id` is the credential of the person who asked the portal to mail the link, or None.
    """

    kind: Kind
    credential_id: int
    made_by_id: int | None
    token: str
    expires_at: datetime


async def renew(invitation: int, at: datetime) -> Renewed | None:
    """Make a new token for a link that is being mailed, and return the link with this token.

    The caller's transaction must run as the sign-in role.

    The time for which the link is valid begins now. If the mail is sent again, the next token replaces this one. Return
    None if the link was mailed, has ended or has expired.
    """
    row = await current().fetchrow(
        "select kind, credential_id, made_by_id from invitation"
        " where id = $1 and mail = 'begun' and ended_at is null and expires_at > $2 for update",
        invitation, at,
    )  # fmt: skip
    if row is None:
        return None
    token, until = secrets.token_urlsafe(32), at + _VALID[row["kind"]]
    made = Invitation.update({Invitation.token_hash: sessions.hash_of(token), Invitation.expires_at: until})
    await made.where(Invitation.id == invitation)
    return Renewed(row["kind"], row["credential_id"], row["made_by_id"], token, until)


async def mark_mailed(invitation: int, at: datetime) -> None:
    """Record that the mail server has accepted the mail with this link.

    The caller's transaction must run as `SYSTEM`.
    """
    begun = (Invitation.id == invitation) & (Invitation.mail == "begun")
    await Invitation.update({Invitation.mail: "sent", Invitation.mailed_at: at}).where(begun)


@dataclass(frozen=True, slots=True)
class Latest:
    """The latest link of a person, as the pages about the person show it.

    `mail` is "waiting", "begun" or "sent" (`Invitation` explains these), or None for a link that was handed over
    without a mail. `mailed_at` is when the mail server accepted the mail, or None.
    """

    kind: Kind
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    mail: str | None
    mailed_at: datetime | None

    def state(self, at: datetime) -> str:
        """Return the state of the link at the instant `at`.

        "ended": used, replaced or withdrawn. "expired": no longer valid. "by_hand": valid, and handed over without a
        mail. "sent": the mail server has accepted the mail with the link. "on_its_way": the mail server has not
        accepted the mail yet. "late": the mail server has not accepted the mail, although the link was created more
        than `LATE` ago.
        """
        if self.ended_at is not None:
            return "ended"
        if self.expires_at <= at:
            return "expired"
        if self.mail is None or self.mail == "sent":
            return self.mail or "by_hand"
        return "late" if at - self.created_at > LATE else "on_its_way"


async def latest(credential: int) -> Latest | None:
    """Return the latest invitation or reset of a person, even if it has ended, or None if there is none."""
    row = Invitation
    columns = (row.kind, row.created_at, row.expires_at, row.ended_at, row.mail, row.mailed_at)
    found = await row.select(*columns).where(row.credential_id == credential).order_by(row.id, ascending=False).first()
    return Latest(**found) if found else None


async def find(token: str, at: datetime, kind: Kind = "invitation") -> Invited:
    """Return the person to whom the link with this token belongs.

    The caller's transaction must run as the sign-in role.

    Raise `NotFound` for an unknown token, for a link of another kind than `kind`, for a link that was used, has ended
    or has expired, and if the person's access has ended. The error message is the same for all of these.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}", token):
        raise NotFound(ENDED)
    row = await current().fetchrow(_FIND, sessions.hash_of(token), at, kind)
    if row is None:
        raise NotFound(ENDED)
    return Invited(row["credential_id"], row["email"], row["name"], row["customer_name"], row["joins"])


# If an agent made the link and the person has accepted this access, the link sets a new password, even if that
# password also gives access to other customers.
_FIND = """
select p.*, i.kind = 'invitation' and not (i.by_agent and c.accepted_at is not null) and exists (
         select from credential o where o.login_id = c.login_id and o.id <> c.id and o.accepted_at is not null) as joins
from invitation i join credential c on c.id = i.credential_id cross join lateral person_of(i.credential_id) p
where i.token_hash = $1 and i.kind = $3 and i.ended_at is null and i.expires_at > $2 and not p.disabled
"""


async def use(token: str, at: datetime) -> None:
    """Use up a link. Raise `NotFound` if it has been used or ended in the meantime.

    The caller's transaction must run as the sign-in role.
    """
    is_open = (Invitation.token_hash == sessions.hash_of(token)) & Invitation.ended_at.is_null()
    if not await Invitation.update({Invitation.ended_at: at}).where(is_open).returning(Invitation.id):
        raise NotFound(ENDED)


async def accept(
    token: str, password: str, at: datetime, *, kind: Kind = "invitation", known: Iterable[str] = ()
) -> Proven:
    """Set the password of the person to whom this token belongs, and return the proof for signing the person in.

    All sessions of the person end. Open links end as `end_all_of_login` says. After a reset, a mail tells the person of
    the change. Call this function outside a transaction: it opens its own, so that no connection and no lock is held
    while the password is hashed. `known` holds words that an attacker would try first, such as the company's name: a
    password that consists of them is weak. Raise `NotFound` for a token that `find` refuses. Raise `Invalid` for a weak
    password, and `Conflict` for a link that sets no password (`Invited.joins`); the link then remains valid. Raise
    `Unavailable` as `passwords.hashed` does.
    """
    async with transaction(None, readonly=True):
        invited = await find(token, at, kind)
    password_hash = await passwords.chosen(password, [invited.email, invited.name, invited.customer_name or "", *known])
    async with transaction(None) as tx:
        # Lock the login first: every change to a password does, and the same order everywhere avoids deadlocks.
        await sessions.take_turns(invited.credential_id)
        if (await find(token, at, kind)).joins:
            raise Conflict("You have a password here meanwhile. Open the link again.")
        await use(token, at)
        login = await tx.fetchval(_ACCEPT, invited.credential_id, at)
        await tx.execute("update credential set password_hash = $2 where id = $1", login, password_hash)
        await sessions.end_all_of_login(login, at)
        await end_all_of_login(login, at)
        if kind == "reset":
            await tell_of_change(login, at)
    return Proven(login, mark_of(password_hash))


# If the credential that holds the login has not been accepted, the login moves to the credential that is accepted now.
_ACCEPT = """
with kept_at as (
  select case when h.accepted_at is null then c.id else h.id end as id, h.id as before
  from credential c join credential h on h.id = c.login_id where c.id = $1
)
update credential c set login_id = k.id, accepted_at = case when c.id = $1 then coalesce(c.accepted_at, $2) else c.accepted_at end
from kept_at k where c.login_id = k.before
returning k.id
"""


async def tell_of_change(login: int, at: datetime) -> None:
    """Enqueue a mail that tells a person of the change of their password, in case somebody else made the change."""
    await jobs.enqueue("mail_password_changed", credential=login, at=at.isoformat())


async def end_all_of_login(login: int, at: datetime) -> None:
    """End the open links of a person, because their password has changed.

    The caller's transaction must run as the sign-in role.

    Invitations to further customers that the person has not accepted stay valid: they set no password.
    """
    await current().execute(
        "update invitation set ended_at = $2 where ended_at is null"
        " and credential_id in (select id from credential where login_id = $1 and accepted_at is not null)",
        login, at,
    )  # fmt: skip


async def end_all(credential: int, at: datetime) -> None:
    """End all open links of a credential. Call this when the person's mail address or access changes."""
    is_open = (Invitation.credential_id == credential) & Invitation.ended_at.is_null()
    await Invitation.update({Invitation.ended_at: at}).where(is_open)


async def delete_old(at: datetime) -> None:
    """Delete links that expired more than `sessions.KEPT` ago."""
    await Invitation.delete().where(Invitation.expires_at < at - sessions.KEPT)


_VALID: dict[Kind, timedelta] = {"invitation": VALID, "reset": RESET_VALID}


async def _begin(kind: Kind, credential: int, at: datetime, *, mail: str | None = None) -> str:
    """Store the hash of a new token, end earlier links of the same kind for this credential, and return the token.

    `mail` is "waiting" for a link that is to be mailed, and None for a link that is handed over without a mail. The
    row of the login is locked until the transaction ends. Raise `NotFound` if there is no such credential.
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
        "expires_at": at + _VALID[kind],
        "mail": mail,
    }
    await insert_one(Invitation, row, returning="id")
    return token
