"""Mail addresses that a mail server has refused for good: no mail is sent to them until somebody ends the refusal.

A refusal belongs to the address. If a person gets another address, mails go there, and the refusal is no longer shown.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from piccolo.columns import Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.mail.letters import LETTERS

KEPT = timedelta(days=365)
"""After this long, a refused address is tried again."""


class MailRefusal(Table, tablename="mail_refusal"):
    """The latest refusal of one mail address. `kind` is the kind of the mail, `reason` the reply of the mail server."""

    email = Text(primary_key=True, default=None)
    kind = Text(default=None)
    reason = Text(default=None)
    refused_at = Timestamptz(default=None)

    @property
    def word(self) -> str:
        """Return the name of the kind of the refused mail, as people read it."""
        return LETTERS[self.kind].word if self.kind in LETTERS else self.kind


async def record(email: str, kind: str, reason: str, at: datetime) -> None:
    """Record that a mail server has refused a mail address for good.

    The caller's transaction must run as `SYSTEM`.
    """
    await current().execute(
        "insert into mail_refusal (email, kind, reason, refused_at) values ($1, $2, $3, $4) on conflict (email)"
        " do update set kind = excluded.kind, reason = excluded.reason, refused_at = excluded.refused_at",
        email, kind, reason, at,
    )  # fmt: skip


async def find(email: str) -> MailRefusal | None:
    """Return the refusal of a mail address, or None if there is none or the reader may not see the address."""
    return await MailRefusal.objects().where(MailRefusal.email == email).first()


async def of_addresses(emails: Collection[str]) -> dict[str, MailRefusal]:
    """Return the refusals of these mail addresses, by address, without those that the reader may not see."""
    if not emails:
        return {}
    found = await MailRefusal.objects().where(MailRefusal.email.is_in(list(emails)))
    return {refusal.email: refusal for refusal in found}


async def forget(email: str) -> None:
    """End the refusal of a mail address, so that mails are sent to it again.

    Do nothing if the address is not refused, or if the reader may not end its refusal.
    """
    await MailRefusal.delete().where(MailRefusal.email == email)


async def delete_old(at: datetime) -> None:
    """Delete the refusals from more than `KEPT` ago, and the refusals of addresses that nobody uses any more.

    The caller's transaction must run as `SYSTEM`.
    """
    await MailRefusal.delete().where(MailRefusal.refused_at < at - KEPT)
    await current().execute("select forget_refusals()")
