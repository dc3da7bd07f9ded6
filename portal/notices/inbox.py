"""Read the notices of one person, with their present sentences.

A notice stores no text. Whenever it is shown, its sentence is composed from the rows that it refers to, and it is shown
only if the person may still see these rows.
"""

import json
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from piccolo.columns import UUID, BigInt, BigSerial, Boolean, Integer, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.desk import Case
from portal.errors import NotFound
from portal.notices.kinds import KINDS, Kind
from portal.people.readers import ContactReader, Reader

PAGE = 40
"""The maximum number of notices on one page of the list."""
COUNTED = 99
"""The highest number of unread notices that the bell shows; if there are more, a plus sign follows it."""
KEPT = timedelta(days=90)
"""The time for which notices are kept, whether they are read or not."""


class Notice(Table, tablename="notice"):
    """One stored notice to one person.

    `record_id` is the id of the event, such as a message, and `subject_id` the id of the thing it concerns, such as the
    case (`Kind.about`). A person has at most one notice of a kind about a record. `in_app` says whether the app shows
    the notice. `read_at` is None until the person has read it. `mail` and `mail_due_at` are None if the notice is not
    mailed; `mail_batch` identifies the mail that contains the notice, and `mail_begun_at` is the instant at which this
    mail was enqueued. `decision` is set for a rejection only: entries that were rejected in one step share it. `amount`
    is the number in the sentence of a reminder or a warning, such as the minutes that are missing or left; None if
    there is no such number.
    """

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
    mail_batch = BigInt(null=True, default=None)
    mail_begun_at = Timestamptz(null=True, default=None)
    decision = UUID(null=True, default=None)


@dataclass(frozen=True, slots=True)
class Told:
    """A notice with the values that its sentence contains; its kind decides which fields have a value.

    `actor` is the name of the person who made the change. A notice about a case has the case's number, subject and
    customer. Its `details` come from the case's event, or from the status that the reply has set. A notice about time
    has the `verb`, the `note` (a reason, a question or an answer) and the number of entries (`count`). It also has the
    minutes and the day of the first entry. A reminder has an `amount`, such as the minutes that are missing, and its
    `day`.

    The notice of a warning has the kind of the warning (`warned`), the `name` of the service, voucher or contract, its
    ids, the `day`, and in `amount` the minutes that were left. `renews` says whether the contract renews itself unless
    notice is given `notice_days` before its end. The notice of a payment has the amount `paid`, negative if it was paid
    back, and the `currency`. The notice of a corrected statement has the id of the correction, the minutes that the
    correction gives back to the customer, the `name` of the contract, and the `day` up to which the statement goes.
    """

    id: int
    kind: Kind
    record_id: int
    subject_id: int
    at: datetime
    read_at: datetime | None
    in_app: bool
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
    warned: str = ""
    name: str = ""
    service_id: int | None = None
    voucher_id: int | None = None
    customer_id: int | None = None
    notice_days: int = 0
    renews: bool = False
    paid: Decimal = Decimal(0)
    statement_id: uuid.UUID | None = None
    currency: str = ""

    @property
    def words(self) -> str:
        """Return what happened, as a sentence without a full stop."""
        return self.kind.words(self)

    @property
    def place(self) -> str:
        """Return the URL that the notice leads to."""
        return self.kind.place(self)


SUBJECT = """
(select coalesce(s.case_id, i.merged_into_id, i.id) from cases i left join message s on s.id = n.record_id
   and n.kind in ('case.opened', 'case.replied', 'case.mentioned') where i.id = n.subject_id)
"""
"""SQL expression for the id of the case that the notice `n` is about now.

If the notice is about a message, this is the case that contains the message now. Otherwise it is the case of the
notice, or the case into which that case was merged.
"""


_WARNINGS = ", ".join(f"'{kind.name}'" for kind in KINDS.values() if kind.is_warning)
_WARNED = f"(n.kind in ({_WARNINGS}) and exists (select from warning w where w.id = n.record_id))"
_PAID = (
    "(n.kind = 'invoice.paid' and exists (select from payment p where p.id = n.record_id and p.taken_back_at is null))"
)
"""SQL conditions that the notice `n` is a warning that is still recorded, or about a payment that was not cancelled."""


def in_sight(reader: Reader, shown: str = "n.in_app") -> str:
    """Return an SQL condition that selects, from `notice n`, the notices to `reader` that `reader` may see (R12, R26).

    `shown` is a further SQL condition, added with AND; the default keeps only notices that the app shows. The condition
    checks the rights that `reader` has now, whenever notices are counted, shown or mailed. A contact does not see
    notices about cases or invoices that the contact may no longer open. A contact without the right to see hours does
    not see notices about hours. An agent who is no longer a manager does not see the notices that only managers get. An
    agent does not see the notice of a rejection once the rejection has been undone for all of that agent's entries.
    Nobody sees the notice of a warning that is no longer recorded, or of a payment that was cancelled.
    """
    if isinstance(reader, ContactReader):
        cases = Case.visible_sql(reader, "c")
        invoices = (
            f"(n.kind in ('invoice.issued', 'statement.corrected') or {_PAID})" if reader.sees_invoices else "false"
        )
        hours = _WARNED if reader.sees_hours else "false"
        case = f"(n.kind like 'case.%' and exists (select from cases c where c.id = {SUBJECT} and {cases}))"
        mine = f"({invoices} or {hours} or {case})"
    else:
        stands = (
            "exists (select from rejection r join time_entry y on y.id = r.entry_id"
            f" where r.decision = n.decision and y.agent_id = {int(reader.id)})"
        )
        mine = f"(n.kind <> 'time.rejected' or {stands}) and (n.kind not in ({_WARNINGS}) or {_WARNED})"
        if not reader.is_manager:
            hidden = ", ".join(f"'{kind.name}'" for kind in KINDS.values() if kind.managers_only)
            mine += f" and n.kind not in ({hidden})"
    return f"n.credential_id = {int(reader.credential_id)} and {shown} and {mine}"


async def unread(reader: Reader, about: tuple[str, int] | None = None) -> int:
    """Return how many notices the reader has not read, at most `COUNTED` + 1.

    With `about`, count only notices about one thing, such as `("case", 7)`.
    """
    what, subject_id = about or (None, None)
    sql = f"""select count(*) from (select from notice n where n.read_at is null and {in_sight(reader)}
      and ($1::text[] is null or (n.kind = any($1) and $2 in (n.subject_id, case when n.kind like 'case.%' then {SUBJECT} end)))
      limit {COUNTED + 1}) c"""  # noqa: S608
    return int(await current().fetchval(sql, kinds_about(what) if what else None, subject_id))


def kinds_about(what: str | None) -> list[str]:
    """Return the names of the kinds whose notices are about `what` (`Kind.about`), or of all kinds if it is None."""
    return [kind.name for kind in KINDS.values() if what in (None, kind.about)]


@dataclass(frozen=True, slots=True)
class Inbox:
    """One page of a person's notices, the newest first.

    `newest` is the id of the person's newest notice, or 0. `next_after` is the cursor of the next page, or None if
    there are no older notices.
    """

    notices: list[Told]
    newest: int
    next_after: int | None

    @property
    def days(self) -> list[list[Told]]:
        """Return the notices grouped by day, in the reader's time zone."""
        return [list(told) for _, told in groupby(self.notices, key=lambda told: told.at.astimezone(told.zone).date())]


async def inbox(reader: Reader, *, only_unread: bool = False, after: int | None = None) -> Inbox:
    """Return one page of the reader's notices; with `only_unread`, only unread ones.

    `after` is the cursor: the id of the last notice on the previous page.
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
    """Return the notice with this id.

    Raise `NotFound` if there is no such notice, if it is another person's, or if the reader may not see it now.
    """
    sql = f"{_FACTS[reader.is_contact]} where n.id = $1 and {in_sight(reader)}"
    row = await current().fetchrow(sql, notice_id)
    if row is None:
        raise NotFound
    return _told(row, reader)


async def leading_to(places: Collection[str], reader: Reader) -> list[Told]:
    """Return the reader's unread notices that lead to one of these URLs, including notices that the app does not show.

    Only the `COUNTED` latest unread notices are searched. Notices about cases are left out, because `marking.read`
    finds them by their case.
    """
    sql = f"""{_FACTS[reader.is_contact]} where {in_sight(reader, "n.read_at is null")} and n.kind not like 'case.%'
      order by n.id desc limit {COUNTED}"""
    told = [_told(row, reader) for row in await current().fetch(sql)]
    return [one for one in told if one.place.partition("#")[0] in places]


async def told_in_batch(batch: int, reader: Reader) -> list[Told]:
    """Return the notices of a batch (the contents of one mail) that the reader may still see, oldest first."""
    sql = f"{_FACTS[reader.is_contact]} where {in_sight(reader, 'n.mail_batch = $1')} order by n.at, n.id"
    return [_told(row, reader) for row in await current().fetch(sql, batch)]


def _told(row: Any, reader: Reader) -> Told:
    """Return a notice from a row of `_FACTS`. The `subject_id` of a reminder is a day as a number, such as 20261120."""
    values = {name: value for name, value in row.items() if value is not None}
    kind = KINDS[values.pop("kind")]
    details = json.loads(values.pop("details", "{}"))
    if kind.about == "day":
        values["day"] = datetime.strptime(str(values["subject_id"]), "%Y%m%d").date()  # noqa: DTZ007
    return Told(
        **{"read_at": None} | values,
        kind=kind,
        details=details,
        for_contact=reader.is_contact,
        zone=reader.zone,
    )


_WARNING = (
    "w.kind as warned, w.day, w.service_id, w.voucher_id, coalesce(ws.name, wv.label, wc.name) as name,"
    " wc.notice_days, wc.renewal_months is not null as renews"
)
_OF_WARNING = f"""
left join warning w on n.kind in ({_WARNINGS}) and w.id = n.record_id
left join service ws on ws.id = w.service_id left join voucher wv on wv.id = w.voucher_id left join contract wc on wc.id = w.contract_id
"""
_STATUS_SET = """
(select x.details from case_event x
 where n.kind = 'case.replied' and x.case_id = m.case_id and x.at = m.at and x.kind = 'status' order by x.id desc limit 1)
"""
"""SQL expression for the details of the status that a reply, the message `m`, has set; null if it set none."""
_OF_CONTACT = f"""
select n.id, n.kind, n.record_id, n.subject_id, n.at, n.read_at, n.in_app, coalesce(m.author_name, e.actor_name) as actor,
  k.number, k.subject, coalesce(e.details, {_STATUS_SET}) as details, i.number as invoice, p.amount as paid, p.currency, n.amount,
  st.id as statement_id, (select sum(d.minutes)::int from detail_row d where d.statement_id = st.id) as minutes,
  {_WARNING.replace("w.day", "coalesce(w.day, st.until) as day").replace("wc.name)", "wc.name, st.contract_name)")}
from notice n
left join message m on n.kind in ('case.opened', 'case.replied') and m.id = n.record_id
left join cases k on n.kind like 'case.%' and k.id = {SUBJECT}
left join case_event e on n.kind in ('case.status', 'case.reminded', 'case.shared') and e.id = n.record_id
left join invoice i on n.kind in ('invoice.issued', 'invoice.paid') and i.id = n.subject_id
left join payment p on n.kind = 'invoice.paid' and p.id = n.record_id
left join statement st on n.kind = 'statement.corrected' and st.told_id = n.record_id
{_OF_WARNING}
"""  # noqa: S608
_OF_AGENT = f"""
select n.id, n.kind, n.record_id, coalesce(r.entry_id, n.subject_id) as subject_id, n.at, n.read_at, n.in_app, n.amount,
  coalesce(m.author_name, e.actor_name, b.name) as actor,
  coalesce(k.number, q.case_number) as number, k.subject, u.name as customer, coalesce(e.details, {_STATUS_SET}) as details, v.verb,
  coalesce(r.reason, case n.kind when 'time.answered' then f.answer else f.question end) as note,
  case when r.id is not null then r.count
       when n.kind = 'time.flagged' then (select count(*) from flag o join time_entry y on y.id = o.entry_id
                                          where o.decision = f.decision and y.agent_id = t.agent_id) end as count,
  coalesce(t.actual_minutes, (v.columns #>> '{{actual_minutes,0}}')::int) as minutes,
  coalesce(t.work_date, (v.columns #>> '{{work_date,0}}')::date) as work_date, t.id is not null as entry_exists,
  coalesce(w.customer_id, q.customer_id, h.customer_id) as customer_id, i.number as invoice,
  {_WARNING.replace("w.day", "coalesce(w.day, h.new_end) as day").replace("wc.name)", "wc.name, rc.name)")}
from notice n join credential own on own.id = n.credential_id
left join message m on n.kind in ('case.opened', 'case.replied', 'case.mentioned') and m.id = n.record_id
left join cases k on n.kind like 'case.%' and k.id = {SUBJECT}
left join case_event e on n.kind in ('case.assigned', 'case.status', 'case.ending', 'case.overdue', 'case.rated') and e.id = n.record_id
left join lateral (
  select r.*, count(*) over () as count from rejection r join time_entry y on y.id = r.entry_id
  where n.kind = 'time.rejected' and r.decision = n.decision and y.agent_id = own.agent_id order by r.id limit 1) r on true
left join flag f on n.kind in ('time.flagged', 'time.answered') and f.id = n.record_id
left join entry_version v on n.kind = 'time.changed' and v.id = n.record_id
left join time_entry t on n.kind in ('time.rejected', 'time.flagged', 'time.answered', 'time.changed')
  and t.id = coalesce(r.entry_id, n.subject_id)
{_OF_WARNING}
left join entry_question q on n.kind = 'invoice.asked' and q.id = n.record_id
left join invoice i on n.kind = 'invoice.asked' and i.id = n.subject_id
left join contract_renewal h on n.kind = 'contract.renewed' and h.id = n.record_id left join contract rc on rc.id = h.contract_id
left join customer u on u.id = coalesce(k.customer_id, t.customer_id, w.customer_id, q.customer_id, h.customer_id)
left join agent b on b.id = coalesce(r.rejected_by_id, v.by_id, case n.kind when 'time.answered' then f.answered_by_id else f.flagged_by_id end)
"""  # noqa: S608
_FACTS = {True: _OF_CONTACT, False: _OF_AGENT}
"""SQL that reads notices with the values of their sentences, for a contact (True) and for an agent (False).

The query for contacts reads no column of notes or of time.
"""


async def delete_old(at: datetime) -> None:
    """Delete everybody's notices that are older than `KEPT`.

    The caller's transaction must run as `SYSTEM`.
    """
    await current().execute("delete from notice where at < $1", at - KEPT)
