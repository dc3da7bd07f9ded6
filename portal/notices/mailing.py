"""Put the notices that are due into batches, and read the contents of a batch. Each batch becomes one mail.

A batch holds notices of one person. Outside the digest, all notices of a batch are about the same case, time entry or
invoice, so that mail programs show such mails as one thread. The digest is a batch of notices about everything. The
contents are read when the mail is sent, with the rights that the recipient has at that moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from portal import jobs
from portal.database import current
from portal.notices.choices import Mail
from portal.notices.inbox import Told, told_in_batch
from portal.people.readers import Reader

APART = timedelta(minutes=5)
"""The minimum time between two mails to one person about the same case, time entry or invoice.

Notices that are made in between are mailed together. The digest does not count as such a mail.
"""


@dataclass(frozen=True, slots=True)
class Item:
    """A notice in a mail. `text` is the Markdown of the message that the notice is about; "" if there is none."""

    told: Told
    text: str


class Batch(NamedTuple):
    """The recipient of a batch, by the id of their credential, and whether the batch is a digest."""

    credential_id: int
    is_digest: bool


async def begin_mails(at: datetime) -> int:
    """Put the notices that are due at `at` into batches, enqueue a job for each, and return the number of batches.

    The caller's transaction must run as `SYSTEM`. A notice is not mailed if its recipient has read it already, or has
    switched off mails of this kind since the notice was made. Outside the digest, a notice waits if the recipient got a
    mail about the same case, time entry or invoice less than `APART` ago. A batch gets no further notices, so a mail
    that is sent again has the same contents.
    """
    tx = current()
    await tx.execute(_NOT_WANTED, at)
    batches = await tx.fetch(_BEGIN, at, APART)
    await jobs.enqueue_all("mail_notices", [{"batch": row["batch"]} for row in batches])
    return len(batches)


async def leave_out_stopped(batch: int) -> None:
    """Remove from a batch the notices of each kind whose mails the recipient has switched off since they were batched.

    The caller's transaction must run as `SYSTEM`.
    """
    await current().execute(_STOPPED, batch)


async def find(batch: int) -> Batch | None:
    """Return the recipient of a batch, or None if its notices are deleted.

    The caller's transaction must run as `SYSTEM`.
    """
    row = await current().fetchrow("select credential_id, mail from notice where mail_batch = $1 limit 1", batch)
    return Batch(row["credential_id"], row["mail"] == Mail.DIGEST) if row else None


async def items_of(batch: int, receiver: Reader) -> list[Item]:
    """Return the notices of a batch that its recipient may see now, oldest first.

    The caller's transaction must run as the recipient.

    The list is empty if the recipient may see none of them any more.
    """
    told = await told_in_batch(batch, receiver)
    texts = await _texts([one.record_id for one in told if one.kind.has_message], receiver)
    return [Item(one, texts.get(one.record_id, "") if one.kind.has_message else "") for one in told]


async def _texts(message_ids: Sequence[int], receiver: Reader) -> dict[int, str]:
    """Return the texts of messages by id. Notes are left out if the recipient is a contact."""
    rows = await current().fetch(
        "select id, text from message where id = any($1) and (kind = 'reply' or $2)", message_ids, receiver.is_agent
    )
    return {row["id"]: row["text"] for row in rows}


_IS_STOPPED = """
exists (select from notice_choice c where c.credential_id = n.credential_id and c.choices -> n.kind ->> 1 = 'never')
"""
_NOT_WANTED = f"""
update notice n set mail = null, mail_due_at = null where n.mail_due_at <= $1 and n.mail_batch is null
  and (n.read_at is not null or {_IS_STOPPED})
"""  # noqa: S608
_STOPPED = f"""
update notice n set mail = null, mail_due_at = null, mail_batch = null, mail_begun_at = null where n.mail_batch = $1 and {_IS_STOPPED}
"""  # noqa: S608
# The part of a notice's kind before the dot says what the notice is about, such as a case, time or an invoice.
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
), batched as (select id, max(id) over (partition by credential_id, mail, thread) as batch from due),
begun as (
  update notice n set mail_batch = b.batch, mail_begun_at = $1 from batched b where n.id = b.id
)
select distinct batch from batched order by batch
"""
