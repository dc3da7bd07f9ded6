"""Read the notices of one person, and mark them as read.

What a notice says is read from the rows of what happened, whenever it is shown, and only as far as the person may still
see them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from piccolo.columns import BigInt, BigSerial, Boolean, Integer, Text, Timestamptz
from piccolo.table import Table

from portal import outbox
from portal.database import current
from portal.desk import Case
from portal.errors import NotFound
from portal.notices.kinds import KINDS, Kind
from portal.people.readers import ContactReader, Reader

PAGE = 40
"""How many notices one page of the list shows."""
COUNTED = 99
"""The most unread notices that are counted; the bell shows a plus sign after it if there are more."""
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
    mail_batch = BigInt(null=True, default=None)
    mail_begun_at = Timestamptz(null=True, default=None)


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


def in_sight(reader: Reader, shown: str = "n.in_app") -> str:
    """Return an SQL condition on the table `notice n` for the notices in the app that `reader` may see now (R12, R26).

    `shown` is the condition that they are shown in the app; mails have another one.

    Rights are looked up again whenever notices are counted, shown or mailed: a contact no longer sees notices about
    cases or invoices that they may not open any more, nor an agent those of a manager. A rejection that was taken back
    is no notice any more.
    """
    if isinstance(reader, ContactReader):
        cases = Case.visible_sql(reader, "c")
        invoices = "n.kind = 'invoice.issued'" if reader.sees_invoices else "false"
        mine = f"({invoices} or (n.kind like 'case.%' and exists (select from cases c where c.id = n.subject_id and {cases})))"
    else:
        mine = "(n.kind <> 'time.rejected' or exists (select from rejection r where r.id = n.record_id))"
        if not reader.is_manager:
            hidden = ", ".join(f"'{kind.name}'" for kind in KINDS.values() if kind.managers_only)
            mine += f" and n.kind not in ({hidden})"
    return f"n.credential_id = {int(reader.credential_id)} and {shown} and {mine}"


async def unread(reader: Reader) -> int:
    """Return how many notices the reader has not read, at most `COUNTED` + 1."""
    sql = f"select count(*) from (select from notice n where n.read_at is null and {in_sight(reader)} limit {COUNTED + 1}) c"  # noqa: S608
    return int(await current().fetchval(sql))


@dataclass(frozen=True, slots=True)
class Inbox:
    """One page of a person's notices, the newest first.

    `newest` is the id of the person's newest notice, or 0; `next_after` is the cursor of the older ones, or None if
    there are none.
    """

    notices: list[Told]
    newest: int
    next_after: int | None

    @property
    def days(self) -> list[list[Told]]:
        """Return the notices by day, in the reader's time zone."""
        return [list(told) for _, told in groupby(self.notices, key=lambda told: told.at.astimezone(told.zone).date())]


async def inbox(reader: Reader, *, only_unread: bool = False, after: int | None = None) -> Inbox:
    """Return one page of the reader's notices; with `only_unread`, only those that are not read.

    `after` is the id of the notice after which the page begins.
    """
    where = f"{in_sight(reader)}{' and n.read_at is null' if only_unread else ''}"
    sql = f"""{_FACTS[reader.is_contact]} where {where}
      and ($1::bigint is null or (n.at, n.id) < (select o.at, o.id from notice o where o.id = $1 and o.credential_id = n.credential_id))
      order by n.at desc, n.id desc limit {PAGE + 1}"""  # noqa: S608
    rows = await current().fetch(sql, after)
    newest = await current().fetchval(
        "select coalesce(max(id), 0) from notice where credential_id = $1", reader.credential_id
    )
    told = [_told(row, reader) for row in rows[:PAGE]]
    return Inbox(told, newest, told[-1].id if len(rows) > PAGE else None)


async def find(notice_id: int, reader: Reader) -> Told:
    """Return a notice of the reader. Raise `NotFound` for one of somebody else, or one that the reader may not see now."""
    sql = f"{_FACTS[reader.is_contact]} where n.id = $1 and {in_sight(reader)}"
    row = await current().fetchrow(sql, notice_id)
    if row is None:
        raise NotFound
    return _told(row, reader)


async def told_in_batch(batch: int, reader: Reader) -> list[Told]:
    """Return the notices that are mailed together in a batch, if the reader may still see them, oldest first."""
    sql = f"{_FACTS[reader.is_contact]} where {in_sight(reader, 'n.mail_batch = $1')} order by n.at, n.id"
    return [_told(row, reader) for row in await current().fetch(sql, batch)]


def _told(row: Any, reader: Reader) -> Told:
    values = {name: value for name, value in row.items() if value is not None}
    kind = KINDS[values.pop("kind")]
    details = json.loads(values.pop("details", "{}"))
    day = datetime.strptime(str(values["subject_id"]), "%Y%m%d").date() if not kind.told_as else None  # noqa: DTZ007
    return Told(
        **{"read_at": None} | values,
        kind=kind,
        details=details,
        day=day,
        for_contact=reader.is_contact,
        zone=reader.zone,
    )


_OF_CONTACT = """
select n.id, n.kind, n.record_id, n.subject_id, n.at, n.read_at, coalesce(m.author_name, e.actor_name) as actor,
  k.number, k.subject, e.details, i.number as invoice
from notice n
left join cases k on n.kind like 'case.%' and k.id = n.subject_id
left join message m on n.kind in ('case.opened', 'case.replied') and m.id = n.record_id
left join case_event e on n.kind = 'case.status' and e.id = n.record_id
left join invoice i on n.kind = 'invoice.issued' and i.id = n.subject_id
"""
_OF_AGENT = """
select n.id, n.kind, n.record_id, n.subject_id, n.at, n.read_at, n.amount, coalesce(m.author_name, e.actor_name, b.name) as actor,
  k.number, k.subject, u.name as customer, e.details, v.verb,
  coalesce(r.reason, case n.kind when 'time.answered' then f.answer else f.question end) as note,
  case when r.id is not null then (select count(*) from rejection o join time_entry y on y.id = o.entry_id
                                   where o.decision = r.decision and y.agent_id = t.agent_id)
       when n.kind = 'time.flagged' then (select count(*) from flag o join time_entry y on y.id = o.entry_id
                                          where o.decision = f.decision and y.agent_id = t.agent_id) end as count,
  coalesce(t.actual_minutes, (v.columns #>> '{actual_minutes,0}')::int) as minutes,
  coalesce(t.work_date, (v.columns #>> '{work_date,0}')::date) as work_date, t.id is not null as entry_exists
from notice n
left join cases k on n.kind like 'case.%' and k.id = n.subject_id
left join message m on n.kind in ('case.opened', 'case.replied', 'case.mentioned') and m.id = n.record_id
left join case_event e on n.kind in ('case.assigned', 'case.status') and e.id = n.record_id
left join rejection r on n.kind = 'time.rejected' and r.id = n.record_id
left join flag f on n.kind in ('time.flagged', 'time.answered') and f.id = n.record_id
left join entry_version v on n.kind = 'time.changed' and v.id = n.record_id
left join time_entry t on n.kind in ('time.rejected', 'time.flagged', 'time.answered', 'time.changed') and t.id = n.subject_id
left join customer u on u.id = coalesce(k.customer_id, t.customer_id)
left join agent b on b.id = coalesce(r.rejected_by_id, v.by_id, case n.kind when 'time.answered' then f.answered_by_id else f.flagged_by_id end)
"""
_FACTS = {True: _OF_CONTACT, False: _OF_AGENT}
"""SQL that reads notices with what their sentences need, for a contact (True) and for an agent (False).

What contacts read has no column of a note or of time.
"""


async def read(
    reader: Reader,
    at: datetime,
    *,
    notice_id: int | None = None,
    about: tuple[str, int] | None = None,
    newest: int | None = None,
) -> None:
    """Mark notices of the reader as read, and let the reader's other pages know. Idempotent.

    The notices are the one with the id `notice_id`, those about a subject (`about`, such as `("case", 7)`), or all up to
    the id `newest`, so that none is marked that has come since the list was shown.
    """
    what, subject_id = about or (None, None)
    kinds = [kind.name for kind in KINDS.values() if what in (None, kind.about)]
    marked = await current().fetch(_READ, reader.credential_id, at, notice_id, kinds, subject_id, newest)
    if marked:
        await outbox.tell(
            kind="notice.changed", subject_id=reader.credential_id, customer_id=reader.customer_id,
            contact_id=reader.id if reader.is_contact else None, contact_may_know=reader.is_contact, actor=reader, at=at,
        )  # fmt: skip


_READ = """
update notice set read_at = $2
where credential_id = $1 and in_app and read_at is null and ($3::bigint is null or id = $3) and kind = any($4)
  and ($5::bigint is null or subject_id = $5) and ($6::bigint is null or id <= $6)
returning id
"""


async def delete_old(at: datetime) -> None:
    """Delete the notices from more than `KEPT` ago, for everybody. Run as `SYSTEM`."""
    await current().execute("delete from notice where at < $1", at - KEPT)
