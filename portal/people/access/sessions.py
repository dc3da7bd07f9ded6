"""Sessions: the cookie holds a random token, the database only its hash (R14, R15).

A session ends by sign-out, after some time without a request, or at its maximum age (R16).
"""

import dataclasses
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from piccolo.columns import BigInt, BigSerial, Bytea, Text, Timestamptz
from piccolo.columns.combination import Where
from piccolo.table import Table

from portal.database import current
from portal.errors import NotFound
from portal.people.readers import AgentReader, ContactReader, Reader

IDLE_AGENT = timedelta(minutes=30)
IDLE_CONTACT = timedelta(minutes=60)
LONGEST = timedelta(hours=12)
TOUCH_EVERY = timedelta(minutes=1)
KEPT = timedelta(days=7)
"""The time for which the row of an expired session is kept, to find the owner of a form opened in that session."""


class SessionRow(Table, tablename="session"):
    """One session as it is stored. `ended_at` is None until the session is ended, and stays None if it only expires.

    `address` is the IP address and `browser` the user agent of the sign-in. `confirmed_at` is when the owner last typed
    their password in this session (R20). `factor` is the second factor that the session was opened with, or None if the
    password alone was enough.
    """

    id = BigSerial(primary_key=True)
    token_hash = Bytea(default=None, secret=True)
    credential_id = BigInt(default=None)
    created_at = Timestamptz(default=None)
    last_used_at = Timestamptz(default=None)
    ended_at = Timestamptz(null=True, default=None)
    address = Text(default=None)
    browser = Text(default=None)
    confirmed_at = Timestamptz(default=None)
    factor = Text(null=True, default=None)


@dataclass(frozen=True, slots=True)
class Membership:
    """The access of the signed-in person to another customer, to which they can switch."""

    credential_id: int
    customer_name: str


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser. The person to whom the credential belongs is the session's owner.

    If the session has ended or expired, or its owner's access has ended, `live` is False and `reader` is None;
    otherwise `reader` is the owner. `to_be_touched` is True if the last use on record is more than a minute old; the
    caller should then call `touch`. `login_id` is the id of the owner's login.
    """

    id: int
    token_hash: bytes
    credential_id: int
    login_id: int
    reader: Reader | None
    live: bool
    to_be_touched: bool
    created_at: datetime
    confirmed_at: datetime
    """When the owner last typed their password in this session (R20)."""
    factor: str | None
    """The second factor that the session was opened with, or None if the password alone was enough."""
    others: tuple[Membership, ...] = ()
    """The other customers to which the owner has access."""


def hash_of(token: str) -> bytes:
    """Return the SHA-256 of a token.

    Only this hash is stored, so that nobody can sign in with what they read in the database.
    """
    return sha256(token.encode()).digest()


async def begin(credential_id: int, *, address: str, browser: str, at: datetime, factor: str | None = None) -> str:
    """Create a session for a person who has proved their password, and return its token.

    Only the token's hash is stored. `address` is the IP address of the browser, `browser` its user agent. `factor` is
    the second factor that the person proved, or None for a person who has set up none.
    """
    token = secrets.token_urlsafe(32)
    await SessionRow.insert(
        SessionRow(
            token_hash=hash_of(token), credential_id=credential_id, created_at=at, last_used_at=at, confirmed_at=at,
            address=address[:100], browser=browser[:300], factor=factor,
        )
    )  # fmt: skip
    return token


async def switch(session: Session, credential_id: int, at: datetime) -> str:
    """Replace a session by one for another customer of the same person, and return the token of the new session.

    `credential_id` is the person's credential for that customer. The new session keeps the age of the old one, so that
    switching neither prolongs the sign-in (R16) nor counts as typing the password again (R20). The caller's transaction
    must run as the sign-in role and have called `hold`. Raise `NotFound` if the person has no such access.
    """
    current_rights = await current().fetchrow("select others from person_of($1)", session.credential_id)
    if credential_id not in {other.credential_id for other in _memberships(current_rights["others"])}:
        raise NotFound
    await end(session.id, at)
    token = secrets.token_urlsafe(32)
    await current().execute(_SWITCH, session.id, hash_of(token), credential_id, at)
    return token


_SWITCH = """
insert into session (token_hash, credential_id, created_at, last_used_at, confirmed_at, address, browser, factor)
select $2, $3, created_at, $4, confirmed_at, address, browser, factor from session where id = $1
"""


FIND = """
select s.id, s.token_hash, s.created_at, s.last_used_at, s.confirmed_at, s.factor, s.ended_at, p.*, beside.*,
       pg_current_snapshot()::text as snapshot
from session s cross join lateral person_of(s.credential_id) p left join ({beside}) beside on true
where s.token_hash = $1
"""


async def find(token: str, at: datetime, *, beside: str = "select") -> tuple[Session, Any] | None:
    """Return the session with this token and the database row it was read from, or None for an unknown token.

    A session that has ended or expired is returned too, with `live` False. `beside` is an SQL select of at most one
    row, with further data that every request needs. Its columns are added to the returned row, because reading all data
    by one statement is quicker. The column `snapshot` of the returned row is the database snapshot of this statement.
    The page reads its data later, so the data is at least as new as this snapshot (`portal.outbox.told_since`).
    """
    return await _find(hash_of(token), at, beside)


async def find_again(session: Session, at: datetime) -> Session | None:
    """Read a session again, and return it with the present rights of its owner; None if there is no such row any more.

    If the session has ended or expired since, `live` is False in the result.
    """
    found = await _find(session.token_hash, at, "select")
    return found[0] if found else None


async def _find(token_hash: bytes, at: datetime, beside: str) -> tuple[Session, Any] | None:
    row = await current().fetchrow(FIND.format(beside=beside), token_hash)
    if row is None:
        return None
    idle = IDLE_AGENT if row["agent_id"] else IDLE_CONTACT
    live = (
        row["ended_at"] is None
        and not row["disabled"]
        and at - row["last_used_at"] < idle
        and at - row["created_at"] < LONGEST
    )
    session = Session(
        id=row["id"],
        token_hash=row["token_hash"],
        credential_id=row["credential_id"],
        login_id=row["login_id"],
        reader=reader_of(row) if live else None,
        live=live,
        to_be_touched=at - row["last_used_at"] > TOUCH_EVERY,
        created_at=row["created_at"],
        confirmed_at=row["confirmed_at"],
        factor=row["factor"],
        others=_memberships(row["others"]),
    )
    return session, row


def _memberships(others: str | None) -> tuple[Membership, ...]:
    """Return the column `others` of `person_of()`, a JSON text, as memberships."""
    return tuple(Membership(*other) for other in json.loads(others)) if others else ()


def reader_of(row: Any) -> Reader:
    """Return the agent or contact that a row of the SQL function `person_of()` describes, as a reader."""
    kind = AgentReader if row["agent_id"] else ContactReader
    columns = (field.name for field in dataclasses.fields(kind) if field.name != "id")
    return kind(id=row["agent_id"] or row["contact_id"], **{name: row[name] for name in columns})


async def touch(session: Session, at: datetime) -> None:
    """Record that the session was used at `at`.

    Call it at most once a minute (`Session.to_be_touched`), to save writes.
    """
    await SessionRow.update({SessionRow.last_used_at: at}).where(SessionRow.id == session.id, _is_open())


async def hold(session: Session) -> bool:
    """Lock the session until the transaction ends, and return whether nobody has ended it.

    The caller's transaction must run as the sign-in role.

    The login is locked too, so that the caller and `end_all` run one after the other, and `end_all` misses no session
    that begins in the meantime.
    """
    await take_turns(session.credential_id)
    return bool(
        await current().fetchval("select 1 from session where id = $1 and ended_at is null for update", session.id)
    )


async def take_turns(credential_id: int) -> bool:
    """Lock the login of the credential until the transaction ends, and return whether there is such a credential.

    Transactions that change how one person signs in (sessions, links, second factors) then run one after the other.
    """
    return bool(await current().fetchval("select take_turns($1)", credential_id))


async def end(session_id: int, at: datetime) -> None:
    """End a session. A session that has ended already keeps the instant of its first end."""
    await SessionRow.update({SessionRow.ended_at: at}).where(SessionRow.id == session_id, _is_open())


async def end_all(credential_id: int, at: datetime) -> None:
    """End all sessions with this credential, because the credential no longer gives access (R12).

    The person's sessions for other customers continue. The row of the login is locked until the transaction ends.
    """
    await take_turns(credential_id)
    await SessionRow.update({SessionRow.ended_at: at}).where(SessionRow.credential_id == credential_id, _is_open())


async def end_all_of_login(login_id: int, at: datetime, *, but: int | None = None) -> None:
    """End all sessions of a person, for all of their customers, except the session with the id `but` (R17).

    The row of the login is locked until the transaction ends.
    """
    await take_turns(login_id)
    await current().execute(
        f"update session set ended_at = $2 where ended_at is null and {_OF_LOGIN} and id is distinct from $3",  # noqa: S608
        login_id, at, but,
    )  # fmt: skip


async def confirm(session: Session, at: datetime) -> None:
    """Record that the session's owner has typed their password again, which sensitive actions require (R20)."""
    await SessionRow.update({SessionRow.confirmed_at: at}).where(SessionRow.id == session.id)


async def end_own(login_id: int, session_id: int, at: datetime) -> None:
    """End the session with this id, which must belong to the person with this login. A repeat changes nothing.

    Raise `NotFound` for an unknown session, or for a session of somebody else.
    """
    own = f"select exists (select from session where id = $2 and {_OF_LOGIN})"  # noqa: S608
    if not await current().fetchval(own, login_id, session_id):
        raise NotFound
    await end(session_id, at)


@dataclass(frozen=True, slots=True)
class Listed:
    """One session as its owner sees it in a list.

    `address` is the IP address and `browser` the user agent of the sign-in. `factor` is the second factor that the
    session was opened with, or None if the password alone was enough.
    """

    id: int
    created_at: datetime
    last_used_at: datetime
    address: str
    browser: str
    factor: str | None


async def live_ones(login_id: int, *, is_agent: bool, at: datetime) -> list[Listed]:
    """Return the person's sessions that have neither ended nor expired, at all of their customers, the last used first.

    `is_agent` says whether the person is an agent, whose sessions expire earlier than those of contacts.
    """
    rows = await current().fetch(
        "select id, created_at, last_used_at, address, browser, factor from session"  # noqa: S608
        f" where {_OF_LOGIN} and ended_at is null and last_used_at > $2 and created_at > $3"
        " order by last_used_at desc, id desc",
        login_id, at - (IDLE_AGENT if is_agent else IDLE_CONTACT), at - LONGEST,
    )  # fmt: skip
    return [Listed(**row) for row in rows]


_OF_LOGIN = "credential_id in (select c.id from credential c where c.login_id = $1)"


async def of_person(credential_id: int) -> list[bytes]:
    """Return the token hashes of the latest 20 sessions with this credential, open and ended, the newest first.

    Ended sessions are included, because an open page may belong to one.
    """
    row = SessionRow
    return (
        await row.select(row.token_hash)
        .where(row.credential_id == credential_id)
        .order_by(row.id, ascending=False)
        .limit(20)
        .output(as_list=True)
    )


async def delete_expired(at: datetime) -> int:
    """Delete sessions that reached their maximum age more than `KEPT` ago, and return their number.

    The worker calls this regularly.
    """
    gone = await SessionRow.delete().where(SessionRow.created_at < at - LONGEST - KEPT).returning(SessionRow.id)
    return len(gone)


def _is_open() -> Where:
    """Return the condition that a session was not ended; it may have expired."""
    return SessionRow.ended_at.is_null()
