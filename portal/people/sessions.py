"""Sessions: a random token in a cookie, its hash here (R14, R15). They end by sign-out, by idleness and after twelve hours (R16)."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from portal.database import current
from portal.errors import NotFound
from portal.people.readers import AgentReader, ContactReader, Reader

IDLE_AGENT = timedelta(minutes=30)
IDLE_CONTACT = timedelta(minutes=60)
LONGEST = timedelta(hours=12)
TOUCH_EVERY = timedelta(minutes=1)
KEPT = timedelta(days=7)
"""How long an ended session is remembered, so that what somebody typed in it finds its owner again."""


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser, and who it belongs to; `live` says whether it still counts."""

    id: int
    token_hash: bytes
    credential_id: int
    reader: Reader | None
    live: bool
    to_be_touched: bool
    created_at: datetime
    confirmed_at: datetime
    """When the person last typed their password in it (R20)."""
    factor: str | None
    """The second factor that it was opened with; None: the password alone."""


def hash_of(token: str) -> bytes:
    """What the database holds of a token: reading the database gives nobody a way in."""
    return sha256(token.encode()).digest()


async def begin(credential_id: int, *, address: str, browser: str, at: datetime, factor: str | None = None) -> str:
    """A new session, after the password and perhaps a second `factor`; the token is returned once and stored nowhere."""
    token = secrets.token_urlsafe(32)
    await current().execute(
        "insert into session (token_hash, credential_id, created_at, last_used_at, confirmed_at, address, browser, factor)"
        " values ($1, $2, $3, $3, $3, $4, $5, $6)",
        hash_of(token), credential_id, at, address[:100], browser[:300], factor,
    )  # fmt: skip
    return token


FIND = """
select s.id, s.token_hash, s.created_at, s.last_used_at, s.confirmed_at, s.factor, s.ended_at, p.*,
       c.name as company, c.currency, c.time_zone as company_zone,
       (select left(encode(l.sha256, 'hex'), 12) from logo l) as logo, pg_current_snapshot()::text as snapshot
from session s cross join lateral person_of(s.credential_id) p left join company c on true
where s.token_hash = $1
"""


async def find(token: str, at: datetime) -> tuple[Session, Any] | None:
    """The token's session with its row (the company's name, currency and zone too, and in `snapshot` what a page read after it sees at least:
    `portal.outbox.told_since`), or None for a token nobody was given."""
    return await _find(hash_of(token), at)


async def find_again(session: Session, at: datetime) -> Session | None:
    """The same session as it is by now, with its reader as they are by now."""
    found = await _find(session.token_hash, at)
    return found[0] if found else None


async def _find(token_hash: bytes, at: datetime) -> tuple[Session, Any] | None:
    row = await current().fetchrow(FIND, token_hash)
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
        row["id"],
        row["token_hash"],
        row["credential_id"],
        reader_of(row) if live else None,
        live,
        at - row["last_used_at"] > TOUCH_EVERY,
        row["created_at"],
        row["confirmed_at"],
        row["factor"],
    )
    return session, row


def reader_of(row: Any) -> Reader:
    """The person of a row of `person_of()`."""
    if row["agent_id"]:
        return AgentReader(
            row["agent_id"],
            row["credential_id"],
            row["name"],
            row["email"],
            row["grade"],
            row["locale"],
            row["time_zone"],
        )
    return ContactReader(
        row["contact_id"], row["credential_id"], row["customer_id"], row["customer_name"], row["name"], row["email"], row["locale"],
        row["time_zone"], row["sees_all_cases"], row["sees_invoices"], row["manages_contacts"],
    )  # fmt: skip


async def touch(session: Session, at: datetime) -> None:
    """Note that the session was used; at most once a minute."""
    await current().execute("update session set last_used_at = $2 where id = $1 and ended_at is null", session.id, at)


async def hold(session: Session) -> bool:
    """Whether it has not been ended; if so, nobody ends it before this transaction is over. As the sign-in role.

    The lock of the person makes this and `end_all` take turns, so that neither a session of before nor one that begins here is missed.
    """
    await _take_turns(session.credential_id)
    return bool(
        await current().fetchval("select 1 from session where id = $1 and ended_at is null for update", session.id)
    )


async def _take_turns(credential_id: int) -> None:
    await current().fetchval("select id from credential where id = $1 for update", credential_id)


async def end(session_id: int, at: datetime) -> None:
    """End it; ending an ended one changes nothing."""
    await current().execute("update session set ended_at = $2 where id = $1 and ended_at is null", session_id, at)


async def end_all(credential_id: int, at: datetime, *, but: int | None = None) -> None:
    """End all sessions of a person, as after a change of the password (R17), perhaps all `but` one."""
    await _take_turns(credential_id)
    await current().execute(
        "update session set ended_at = $2 where credential_id = $1 and ended_at is null and id is distinct from $3",
        credential_id, at, but,
    )  # fmt: skip


async def confirm(session: Session, at: datetime) -> None:
    """Note that its owner typed the password again (R20)."""
    await current().execute("update session set confirmed_at = $2 where id = $1", session.id, at)


async def end_own(credential_id: int, session_id: int, at: datetime) -> None:
    """End one session of a person. Raises `NotFound` for somebody else's; ending an ended one changes nothing."""
    if not await current().fetchval(
        "select exists (select from session where id = $1 and credential_id = $2)", session_id, credential_id
    ):
        raise NotFound
    await end(session_id, at)


@dataclass(frozen=True, slots=True)
class Listed:
    """A session as its owner sees it."""

    id: int
    created_at: datetime
    last_used_at: datetime
    address: str
    browser: str
    factor: str | None


async def live_ones(credential_id: int, *, is_agent: bool, at: datetime) -> list[Listed]:
    """The sessions of a person that still count, the last used first."""
    rows = await current().fetch(
        "select id, created_at, last_used_at, address, browser, factor from session"
        " where credential_id = $1 and ended_at is null and last_used_at > $2 and created_at > $3 order by last_used_at desc, id desc",
        credential_id, at - (IDLE_AGENT if is_agent else IDLE_CONTACT), at - LONGEST,
    )  # fmt: skip
    return [Listed(*row.values()) for row in rows]


async def of_person(credential_id: int) -> list[bytes]:
    """The token hashes of a person's latest sessions, ended ones too: a page that is still open may belong to one of them."""
    rows = await current().fetch(
        "select token_hash from session where credential_id = $1 order by id desc limit 20", credential_id
    )
    return [row["token_hash"] for row in rows]


async def forget(at: datetime) -> int:
    """Delete sessions, attempts and drafts that nobody can need any more; the number of sessions. The worker does this."""
    tx = current()
    await tx.execute("delete from attempt where at < $1", at - timedelta(days=1))
    await tx.execute("delete from draft where kept_at < $1", at - timedelta(days=30))
    await tx.execute("delete from invitation where expires_at < $1", at - KEPT)
    gone = await tx.fetch("delete from session where created_at < $1 returning id", at - LONGEST - KEPT)
    return len(gone)
