"""Mail notices: put those that are due into batches, one mail each, and read what the mail of a batch says.

A batch holds the notices of one person that are due. Those that are mailed at once are about one case, entry or invoice,
so that mail programs show them as one thread; the digest holds everything. What a batch says is read when it is sent,
with the rights that its receiver has then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal import jobs
from portal.database import current
from portal.notices.inbox import Told, told_in_batch
from portal.people.readers import Reader

APART = timedelta(minutes=5)
"""After a mail about a case, further notices about it wait this long and then come as one mail."""


@dataclass(frozen=True, slots=True)
class Item:
    """A notice in a mail. `text` is the message that the notice is about, as it was typed; "" for other notices."""

    told: Told
    text: str


async def begin_mails(at: datetime) -> int:
    """Put the notices that are due at `at` into batches, enqueue a job for each, and return the number of batches.

    Run as `SYSTEM`. Notices that their person has read in the app meanwhile are not mailed.
    """
    tx = current()
    await tx.execute(_READ_ALREADY, at)
    batches = await tx.fetch(_BEGIN, at, APART)
    for row in batches:
        await jobs.enqueue("mail_notices", batch=row["batch"])
    return len(batches)


async def withdraw_mails(at: datetime) -> None:
    """Give up the mails that are due at `at`, because there is no mail server. Run as `SYSTEM`.

    The notices stay in the app. Otherwise, all of them would be mailed on the day on which a mail server is configured.
    """
    await current().execute(_WITHDRAW, at)


async def receiver_of(batch: int) -> int | None:
    """Return the credential id of the person to whom a batch is mailed, or None if it was mailed. Run as `SYSTEM`."""
    found: int | None = await current().fetchval(
        "select credential_id from notice where mail_batch = $1 and mailed_at is null limit 1", batch
    )
    return found


async def items_of(batch: int, receiver: Reader) -> list[Item]:
    """Return the notices of a batch that its receiver may see now, oldest first. Run as the receiver.

    The list is empty if the receiver may see none of them any more.
    """
    told = await told_in_batch(batch, receiver)
    texts = await _texts([one.record_id for one in told if one.kind.has_message], receiver)
    return [Item(one, texts.get(one.record_id, "") if one.kind.has_message else "") for one in told]


async def mark_mailed(batch: int, at: datetime) -> None:
    """Record that the mail of a batch was handed over, or that nothing of it could be said. Run as `SYSTEM`."""
    await current().execute("update notice set mailed_at = $2 where mail_batch = $1 and mailed_at is null", batch, at)


async def _texts(message_ids: Sequence[int], receiver: Reader) -> dict[int, str]:
    """Return the texts of messages by id, except notes for a contact."""
    rows = await current().fetch(
        "select id, text from message where id = any($1) and (kind = 'reply' or $2)", message_ids, receiver.is_agent
    )
    return {row["id"]: row["text"] for row in rows}


_READ_ALREADY = """
update notice set mail = null, mail_due_at = null where mail_due_at <= $1 and mail_batch is null and in_app and read_at is not null
"""
_WITHDRAW = "update notice set mail = null, mail_due_at = null where mail_due_at <= $1 and mail_batch is null"
# What a notice is about is the first part of its kind: case, time or invoice.
_BEGIN = """
with due as (
  select n.id, n.credential_id, n.mail, case n.mail when 'at_once' then split_part(n.kind, '.', 1) || n.subject_id else '' end as thread
  from notice n
  where n.mail_due_at <= $1 and n.mail_batch is null
    and not (n.mail = 'at_once' and exists (
      select from notice p
      where p.credential_id = n.credential_id and p.mail = 'at_once' and p.mail_begun_at > $1 - $2::interval
        and p.subject_id = n.subject_id and split_part(p.kind, '.', 1) = split_part(n.kind, '.', 1)))
  for update of n skip locked
), batches as (select credential_id, mail, thread, max(id) as batch from due group by credential_id, mail, thread),
begun as (
  update notice n set mail_batch = b.batch, mail_begun_at = $1
  from due d join batches b using (credential_id, mail, thread) where n.id = d.id
)
select batch from batches order by batch
"""
