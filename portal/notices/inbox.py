"""Read the notices of one person, and mark them as read.

What a notice says is read from the rows of what happened, whenever it is shown, and only as far as the person may still
see them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from piccolo.columns import BigInt, BigSerial, Boolean, Integer, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.notices.kinds import Kind

KEPT = timedelta(days=90)
"""How long a notice is kept, read or not."""


class Notice(Table, tablename="notice"):
    """One thing that one person is told, as it is stored. `read_at` is None until the person has seen it."""

    id: BigSerial = BigSerial(primary_key=True)
    credential_id = BigInt(default=None)
    kind = Text(default=None)
    record_id = BigInt(default=None)
    subject_id = BigInt(default=None)
    amount = Integer(null=True, default=None)
    at = Timestamptz(default=None)
    in_app = Boolean(default=None)
    read_at = Timestamptz(null=True, default=None)
    mail = Text(null=True, default=None)
    mail_due_at = Timestamptz(null=True, default=None)
    mailed_at = Timestamptz(null=True, default=None)


@dataclass(frozen=True, slots=True)
class Told:
    """A notice with what its sentence needs; which fields are filled depends on the kind.

    `actor` is the name of who did it. A notice about a case has its number, subject and customer, and `details` is the
    line of its log. A notice about time has the `verb`, the `note` (a reason, a question or an answer), how many
    entries it is about (`count`), and the minutes and the day of the first. `amount` is what a reminder counts, `day`
    its day.
    """

    id: int
    kind: Kind
    record_id: int
    subject_id: int
    at: datetime
    read_at: datetime | None
    for_contact: bool
    zone: ZoneInfo
    actor: str = ""
    number: int | None = None
    subject: str = ""
    customer: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    verb: str = ""
    note: str = ""
    count: int = 1
    minutes: int = 0
    work_date: date | None = None
    entry_exists: bool = False
    invoice: str = ""
    amount: int = 0
    day: date | None = None

    @property
    def words(self) -> str:
        """Return what happened, as a sentence without a full stop."""
        return self.kind.words(self)

    @property
    def place(self) -> str:
        """Return the URL that the notice leads to."""
        return self.kind.place(self)


async def delete_old(at: datetime) -> None:
    """Delete the notices from more than `KEPT` ago, for everybody. Run as `SYSTEM`."""
    await current().execute("delete from notice where at < $1", at - KEPT)
