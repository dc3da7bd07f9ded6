"""Record the state of each mail that the worker is to send, for admins: waiting, sent, refused, given up or kept.

A mail is kept (state `kept`) if no mail server was set up when it was due. A record holds ids and no text. The mail is
composed from the database when it is sent, and again when an admin opens it, with the rights that its recipient has
then.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from piccolo.columns import JSONB, BigInt, BigSerial, Integer, Text, Timestamptz
from piccolo.table import Table

from portal import jobs
from portal.database import current
from portal.errors import Conflict, NotFound
from portal.fields import in_range
from portal.mail import refusals
from portal.mail.letters import LETTERS, Ids, Letter
from portal.words import MailState

PAGE = 50
"""The maximum number of mails on one page of the list."""
KEPT = timedelta(days=30)
"""The time for which the record of a mail is kept after its last change."""


class OutgoingMail(Table, tablename="outgoing_mail"):
    """The record of one mail as it is stored.

    `kind` is a name in `LETTERS`, and `ids` are the ids from which the mail is composed. The job `job_id` sends it to
    `email`; `credential_id` is the credential that signs in with this mail address, or None. `state` is a member of
    `MailState`. `reason` says why the mail was not sent, or is "". `attempts` counts the attempts to send it.
    """

    id: BigSerial = BigSerial(primary_key=True)
    job_id = BigInt(default=None)
    kind = Text(default=None)
    ids = JSONB(default=None)
    credential_id = BigInt(null=True, default=None)
    email = Text(default=None)
    state = Text(default=None)
    reason = Text(default=None)
    attempts = Integer(default=None)
    begun_at = Timestamptz(default=None)
    changed_at = Timestamptz(default=None)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The record of one mail, for admins.

    `kind` is a name in `LETTERS`, and `ids` are the ids from which the mail is composed. `name` is the name of the
    recipient, or "" if nobody signs in with the address. `reason` says why the mail was not sent, or is "". `next_at`
    is when the portal next tries to send it, or None.
    """

    id: int
    kind: str
    ids: Ids
    email: str
    name: str
    state: MailState
    reason: str
    attempts: int
    begun_at: datetime
    changed_at: datetime
    next_at: datetime | None

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        """Return the record from a row of `_LISTED`."""
        return cls(**dict(row) | {"ids": json.loads(row["ids"]), "state": MailState(row["state"])})

    @property
    def letter(self) -> Letter | None:
        """Return the kind of mail, or None if this release does not know it."""
        return LETTERS.get(self.kind)

    @property
    def word(self) -> str:
        """Return the name of the kind of mail, as admins read it."""
        return self.letter.word if self.letter else self.kind

    @property
    def can_be_sent(self) -> bool:
        """Return whether an admin can have the mail sent, again or for the first time.

        The mail must have no link for signing in, and must be in one of the states `refused`, `given_up` and `kept`. A
        kept mail was never sent, because no mail server was set up.
        """
        return bool(self.letter and not self.letter.has_link) and self.state in _TO_SEND_AGAIN


_TO_SEND_AGAIN = (MailState.KEPT, MailState.REFUSED, MailState.GIVEN_UP)


async def is_done(job_id: int) -> bool:
    """Return whether the job has sent its mail, or has ended without sending it.

    The caller's transaction must run as `SYSTEM`.
    """
    state = await current().fetchval("select state from outgoing_mail where job_id = $1", job_id)
    return state is not None and state != MailState.WAITING


class Addressee(NamedTuple):
    """The recipient of a mail: a mail address, and the id of the credential that signs in with this address, or None."""

    email: str
    credential_id: int | None = None


async def record(
    job_id: int, kind: str, ids: Ids, to: Addressee, state: MailState, reason: str, at: datetime, *, tries: int = 0
) -> bool:
    """Record that the mail of a job is now in this state, and return whether it was recorded.

    The caller's transaction must run as `SYSTEM`.

    `tries` is the number of attempts to add: 1 when an attempt begins, 0 for its outcome. Nothing is recorded if the
    recipient has been erased since the mail was composed, because a record contains the recipient's mail address.
    """
    if to.credential_id is not None and not await current().fetchval(_STANDS, to.credential_id):
        return False
    await current().execute(_RECORD, job_id, kind, json.dumps(ids), *to, state.value, reason, tries, at)
    return True


_STANDS = "select id from credential where id = $1 for key share"
_RECORD = """
insert into outgoing_mail (job_id, kind, ids, email, credential_id, state, reason, attempts, begun_at, changed_at)
values ($1, $2, $3::jsonb, $4, $5, $6, $7, $8, $9, $9)
on conflict (job_id) do update set email = excluded.email, credential_id = excluded.credential_id, state = excluded.state,
  reason = excluded.reason, attempts = outgoing_mail.attempts + excluded.attempts, changed_at = excluded.changed_at
"""


async def drop(job_id: int) -> None:
    """Delete the record of a mail whose recipient has lost access or has switched off mails of this kind.

    The caller's transaction must run as `SYSTEM`.
    """
    await current().execute("delete from outgoing_mail where job_id = $1", job_id)


@dataclass(frozen=True, slots=True)
class Filter:
    """The filters of the list of outgoing mails: recipient, kind and state. None sets no limit.

    `credential_id` is the id of the recipient's credential.
    """

    credential_id: int | None = None
    kind: str | None = None
    state: MailState | None = None

    @property
    def values(self) -> tuple[int | None, str | None, str | None]:
        """Return the values of `$1` to `$3` in `_WHERE`."""
        return self.credential_id, self.kind, self.state.value if self.state else None


_WHERE = "($1::bigint is null or m.credential_id = $1) and ($2::text is null or m.kind = $2) and ($3::text is null or m.state = $3)"
_LISTED = """
select m.id, m.kind, m.ids::text as ids, m.email, coalesce(p.name, '') as name, m.state, m.reason, m.attempts, m.begun_at, m.changed_at,
  q.execute_after as next_at
from outgoing_mail m left join lateral person_of(m.credential_id) p on true
left join pgqueuer q on q.id = m.job_id and q.status = 'queued' and m.state = 'waiting'
"""


async def listed(wanted: Filter, after: int | None = None) -> tuple[list[Outgoing], int | None]:
    """Return one page of the mails that match the filter, latest first, and the cursor of the next page or None.

    `after` is the cursor: the id of the last mail on the previous page.
    """
    rows = await current().fetch(
        f"{_LISTED} where {_WHERE} and ($4::bigint is null or m.id < $4) order by m.id desc limit $5",
        *wanted.values,
        after,
        PAGE + 1,
    )
    mails = [Outgoing.read(row) for row in rows[:PAGE]]
    return mails, mails[-1].id if len(rows) > PAGE else None


async def how_many(wanted: Filter) -> int:
    """Return the number of mails that match the filter."""
    return int(await current().fetchval(f"select count(*) from outgoing_mail m where {_WHERE}", *wanted.values))  # noqa: S608


async def not_begun() -> int:
    """Return the number of mails in the job queue that no worker has begun to send."""
    return int(await current().fetchval(_NOT_BEGUN, list(LETTERS)))


_NOT_BEGUN = """
select count(*) from pgqueuer q
where q.entrypoint = any($1) and q.status = 'queued' and not exists (select from outgoing_mail m where m.job_id = q.id)
"""


async def find(mail_id: int) -> Outgoing:
    """Return the record of a mail. Raise `NotFound` if there is none."""
    row = await current().fetchrow(f"{_LISTED} where m.id = $1", in_range(mail_id))
    if row is None:
        raise NotFound
    return Outgoing.read(row)


async def send_again(mail_id: int, at: datetime) -> None:
    """Enqueue a mail whose state is kept, refused or given up. If its address was refused, end the refusal.

    Do nothing if the mail is waiting or was sent in the meantime. Raise `NotFound` if there is no such mail. Raise
    `Conflict` if this release does not know its kind, or if it has a link for signing in: whoever needs the link asks
    for a new one.
    """
    await current().fetchval("select id from outgoing_mail where id = $1 for update", in_range(mail_id))
    mail = await find(mail_id)
    if mail.letter is None or mail.letter.has_link:
        raise Conflict("This mail cannot be sent again. Whoever needs its link asks for a new one.")
    if mail.can_be_sent:
        await refusals.forget(mail.email)
        job = await jobs.enqueue(mail.kind, **mail.ids)
        await current().execute(_AGAIN, mail.id, job, at)


_AGAIN = "update outgoing_mail set job_id = $2, state = 'waiting', reason = '', changed_at = $3 where id = $1"


async def lately_lost(at: datetime) -> int:
    """Return how many mails were given up within the last day, because no mail server accepted them in time."""
    return int(await current().fetchval(_LOST, at - timedelta(days=1)))


_LOST = "select count(*) from outgoing_mail where state = 'given_up' and changed_at > $1"


async def delete_old(at: datetime) -> None:
    """Delete the records of mails that have not changed for longer than `KEPT`, except waiting ones.

    The caller's transaction must run as `SYSTEM`.
    """
    await current().execute("delete from outgoing_mail where changed_at < $1 and state <> 'waiting'", at - KEPT)
