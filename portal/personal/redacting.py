"""Redact a case: destroy one of its texts or files for good, and show in that place who redacted it, when and why.

The database function `redact` (migration `m0475`) destroys the text wherever it is stored, and the copies of the text
on the same case. After the commit, `sweep_uploads` deletes the bytes of a file. A regular job calls `sweep_uploads`
too, so that the bytes are deleted even if this process dies right after the commit.
"""

import html
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from portal.database import current, transaction
from portal.desk import events
from portal.desk.cases import Case
from portal.desk.files.attachments import sweep_uploads
from portal.desk.verbs.changing import finish, lock
from portal.errors import Invalid, NotFound
from portal.fields import one_line
from portal.numbers import number_in, uuid_in
from portal.people.readers import SYSTEM, AgentReader
from portal.storage import Storage

LONGEST = 120
"""The maximum number of characters of a reason. The note with the reason can replace a subject, and must fit there."""
NOUNS = {
    "subject": "the subject", "message": "a message", "file": "a file", "time": "the comments of a time entry",
    "field": "a field", "rating": "the words of a rating", "held": "a reply that did not go out",
}  # fmt: skip
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Redactable:
    """A text or a file of a case that an admin may redact.

    `what` is a key of `NOUNS`. `key` identifies the text or file in forms and URLs, such as `message-7`. `text` is the
    text, or the name of the file. `about` is the author, or the name of the custom field. `is_internal` is True if only
    agents can read the text or file. `why_not` is the error message if redaction is not allowed, or "".
    """

    what: str
    id: str
    text: str
    about: str
    at: datetime
    is_internal: bool
    why_not: str

    @property
    def key(self) -> str:
        return f"{self.what}-{self.id}"

    @property
    def noun(self) -> str:
        return "a note" if self.what == "message" and self.is_internal else NOUNS[self.what]


async def redactable(case: Case) -> list[Redactable]:
    """Return the texts and files of a case that are not redacted yet."""
    rows = await current().fetch(_EACH_REDACTABLE, case.id)
    return [Redactable(**row) for row in rows]


async def redactable_with(case: Case, key: str) -> Redactable:
    """Return the text or file of a case with this key. Raise `NotFound` if there is none, or it is redacted already."""
    what, _, id_ = key.partition("-")
    if what not in _REDACTABLE:
        raise NotFound
    sql, read = _ONE[what]
    row = await current().fetchrow(sql, case.id, read(id_))
    if row is None:
        raise NotFound
    return Redactable(*row)


async def check(case: Case, key: str, reason: str, *, by: AgentReader) -> tuple[Redactable, str]:
    """Check what `redact` would do: return the text or file to destroy, and the reason on one line. Change nothing.

    Raise what `redact` would raise.
    """
    if not by.is_admin:
        raise NotFound
    if not key:
        raise Invalid({"": "Choose what has to go for good."})
    reason = one_line(reason)
    if not reason:
        raise Invalid({"reason": "Say why, for whoever finds it missing."})
    if len(reason) > LONGEST:
        raise Invalid({"reason": f"Use at most {LONGEST} characters."})
    chosen = await redactable_with(case, key)
    if chosen.why_not:
        raise Invalid({"": chosen.why_not})
    return chosen, reason


async def redact(case: Case, key: str, reason: str, *, by: AgentReader, zone: ZoneInfo, at: datetime) -> Redactable:
    """Destroy the text or the file with this key, and return what it was. This cannot be undone.

    Pages then show who redacted it, on which day in the company's time zone `zone`, and why. Raise `Invalid` at the
    field `reason` if the reason is missing or too long. Raise `Invalid` without a field if `key` is empty, or if the
    text belongs to a time entry that is on a document, such as an invoice. Raise `NotFound` if `by` is not an admin, or
    if somebody else has redacted the text or file in the meantime.
    """
    await lock(case, by)
    chosen, reason = await check(case, key, reason, by=by)
    day = at.astimezone(zone)
    shown = f"Redacted by {by.name} on {day.day} {day:%b %Y}: {reason}"
    await current().execute(
        "select redact($1, $2, $3, $4, $5, $6)", case.id, chosen.what, chosen.id, shown, f"<p><em>{html.escape(shown)}</em></p>", at,
    )  # fmt: skip
    if chosen.what == "subject":
        case.subject = shown[:200]
    line = {"what": chosen.noun, "reason": reason}
    await events.record(
        case.id, case.customer_id, "redacted", by=by, contact_may_know=not chosen.is_internal, at=at, details=line
    )
    await finish(case, [], by, at, told_as="case.changed")
    return chosen


async def delete_redacted(storage: Storage) -> None:
    """Delete the bytes of redacted files.

    Call this after the commit. If it fails, the next run of the regular job deletes the bytes.
    """
    async with transaction(SYSTEM):
        await sweep_uploads(storage, _LONG_AGO)


_COLUMNS = "what, id, text, about, at, is_internal, why_not"
_REDACTABLE = {
    "subject": """
select 'subject' as what, '' as id, c.subject as text, 'Subject' as about, c.opened_at as at, false as is_internal, '' as why_not
from cases c where c.id = $1 and not exists (select from redaction r where r.case_id = c.id and r.what = 'subject' and left(r.note, 200) = c.subject)
""",
    "message": """
select 'message', m.id::text, m.text, m.author_name, m.at, m.kind = 'note', ''
from message m where m.case_id = $1 and not exists (select from redaction r where r.message_id = m.id and r.what = 'message')
""",
    "file": """
select 'file', a.id::text, a.name, m.author_name, m.at, m.kind = 'note', ''
from message m join attachment a on a.message_id = m.id where m.case_id = $1
""",
    "rating": """
select 'rating', '', r.words, coalesce(x.name, 'Customer'), r.rated_at, false, ''
from case_rating r left join contact x on x.id = r.contact_id
where r.case_id = $1 and r.words <> ''
  and not exists (select from redaction d where d.case_id = $1 and d.what = 'rating' and left(d.note, 1000) = r.words)
""",
    "held": """
select 'held', g.id::text, g.text, a.name, g.sent_at, true, ''
from outgoing_reply g join agent a on a.id = g.agent_id
where g.case_number in (select k.number from cases k where $1 in (k.id, k.merged_into_id)) and num_nonnulls(g.withdrawn_at, g.problem) > 0
  and not exists (select from redaction d where d.case_id = $1 and d.what = 'held' and d.note = g.text)
""",
    "time": """
select 'time', e.id::text, concat_ws(' / ', nullif(e.external_comment, ''), nullif(e.description, '')), g.name, e.created_at, true,
  case when s.entry_id is not null then 'It is on a document, and what a document says stays as it is.' else '' end
from time_entry e join agent g on g.id = e.agent_id
left join lateral (select d.entry_id from settled_entry d where d.entry_id = e.id limit 1) s on true
where e.case_id = $1 and (e.external_comment <> '' or e.description <> '')
  and not exists (select from redaction r where r.entry_id = e.id and r.note in (e.external_comment, e.description))
""",
    "field": """
select 'field', f.id::text, x.text, f.name, x.at, not f.for_contacts, ''
from case_field f join lateral (
  select t.text, t.at from (
    select v.text, c.opened_at as at, true as is_present from case_field_value v join cases c on c.id = v.case_id
    where v.case_id = $1 and v.field_id = f.id
    union all
    select e.details ->> 'to', e.at, false from cases k join case_event e on e.case_id = k.id
    where (k.id = $1 or k.merged_into_id = $1) and e.kind like 'field%'
      and coalesce(e.details ->> 'field_id' = f.id::text, e.details ->> 'field' = f.name) and e.details ->> 'kind' = 'text'
  ) t where t.text is not null and not exists (
    select from redaction r where r.case_id = $1 and left(r.note, 200) = t.text)
  order by t.is_present desc, t.at desc limit 1
) x on true where f.kind = 'text'
""",
}
"""For each key of `NOUNS`, the SQL that selects the texts or files of that kind in the case `$1` for redaction.

A custom field may be empty now although the log of the case still shows earlier values of the field. Then the newest of
the earlier values can be redacted.
"""
_ONE: dict[str, tuple[str, Callable[[str], Any]]] = {
    what: (f"select * from ({sql}) x ({_COLUMNS}) where x.id = $2", str)  # noqa: S608
    for what, sql in _REDACTABLE.items()
} | {  # A case may have ten thousand messages, files or time entries, so only the row itself is read.
    "message": (f"{_REDACTABLE['message']} and m.id = $2", number_in),
    "file": (f"{_REDACTABLE['file']} and a.id = $2", uuid_in),
    "time": (f"{_REDACTABLE['time']} and e.id = $2", number_in),
}
"""For each key of `NOUNS`, the SQL that selects the row with the id `$2`, and the function that converts that id."""
_EACH_REDACTABLE = f"{' union all '.join(_REDACTABLE.values())} order by at, what desc, id"
