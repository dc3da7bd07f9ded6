"""Read the complete log of a case, filtered by person, kind and day: its events, and who wrote which message when."""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from portal.database import current
from portal.desk import events
from portal.desk.cases import Case
from portal.exports import Column, Kind, Sheet
from portal.people.readers import AgentReader
from portal.periods import day_in
from portal.render.formats import reading

MOST = 20_000
"""The maximum number of lines of a log. Of a longer one, the newest lines are shown."""
GROUPS = {
    "messages": ("Messages", ("reply", "note")),
    "status": ("Status and deadlines", ("opened", "status", "snoozed", "woken", "reminded", "deadline.")),
    "people": ("Who works on it", ("assigned", "dispatched", "department", "left", "contact", "handed")),
    "sharing": ("Sharing and redaction", ("watched", "unwatched", "confidential", "redacted")),
    "time": ("Time and appointments", ("time.", "appointment.")),
    "facts": ("Everything else", ()),
}
"""The groups by which a log can be filtered: the label of each, and the prefixes of its kinds of events, by key."""


class Line(NamedTuple):
    """One line of a log. `number` is the number of the merged case in whose log it stands, None for the case itself."""

    at: datetime
    kind: str
    actor: str
    words: str
    for_customer: bool
    number: int | None

    @property
    def group(self) -> str:
        return next((key for key, (_, kinds) in GROUPS.items() if kinds and self.kind.startswith(kinds)), "facts")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of a log: the name of a person, a key of `GROUPS`, and a day; "" and None for no filter."""

    person: str = ""
    group: str = ""
    day: date | None = None

    @classmethod
    def read(cls, query: Any) -> "Wanted":
        """Return the filters in the parameters `person`, `kind` and `day` of a URL."""
        kind = query.get("kind", "")
        return cls(query.get("person", ""), kind if kind in GROUPS else "", day_in(query.get("day", "")))


async def log_of(case: Case, reader: AgentReader, wanted: Wanted = Wanted()) -> tuple[list[Line], list[str]]:
    """Return the log of a case and of those merged into it, filtered by `wanted`, newest line first, and names.

    The names are those of all people in the log of the wanted day, sorted, for the filter by person.
    """
    first = datetime.combine(wanted.day, datetime.min.time(), reader.zone) if wanted.day else None
    rows = await current().fetch(_LINES, case.id, first, first and first + timedelta(days=1), MOST)
    with reading(reader, None, None):
        lines = [_read(row, reader) for row in rows]
    chosen = [
        line
        for line in lines
        if (not wanted.person or line.actor == wanted.person) and (not wanted.group or line.group == wanted.group)
    ]
    return chosen, sorted({line.actor for line in lines} | ({wanted.person} - {""}))


async def sheet_of(case: Case, reader: AgentReader, wanted: Wanted = Wanted()) -> Sheet:
    """Return the lines of `log_of` as a table, oldest first."""
    lines, _ = await log_of(case, reader, wanted)
    rows = [
        (line.at, f"#{line.number or case.number}", line.actor, GROUPS[line.group][0], line.words, "yes" if line.for_customer else "no")
        for line in reversed(lines)
    ]  # fmt: skip
    return Sheet(f"Log of #{case.number}", _COLUMNS, rows)


async def record_download(case: Case, kind: str) -> None:
    """Record in the audit log a download of the log of a case (`kind` is `csv`) or of the whole case (`zip`) (R89)."""
    await current().execute("select record_export('case', $1, $2)", case.id, kind)


def _read(row: Any, reader: AgentReader) -> Line:
    details = json.loads(row["details"])
    if row["kind"] in _WRITTEN:
        words = f"{row['actor']} {_WRITTEN[row['kind']]}"
    elif row["kind"] == "time.logged":
        words = f"{row['actor']} logged time"
    else:
        words = events.words_of(row["kind"], row["actor"], details, for_contact=False, zone=reader.zone)
    return Line(row["at"], row["kind"], row["actor"], words, row["for_customer"], row["number"])


_WRITTEN = {"reply": "replied", "note": "wrote a note"}
_COLUMNS = (
    Column("At", Kind.MOMENT),
    Column("Case"),
    Column("Person"),
    Column("Kind"),
    Column("What happened"),
    Column("The customer sees it"),
)
_LINES = """
select * from (
  select e.at, e.kind, e.actor_name as actor, e.details::text as details, e.contact_may_know and (
      e.kind not in ('field', 'field_taken', 'field_left')
      or exists (select from case_field f where f.id = (e.details ->> 'field_id')::bigint and f.for_contacts)) as for_customer,
    case when k.id <> $1 then k.number end as number, e.id, 1 as rank
  from cases k join case_event e on e.case_id = k.id where k.id = $1 or k.merged_into_id = $1
  union all
  select m.at, m.kind, m.author_name, '{}', m.kind = 'reply', null, m.id, 0 from message m where m.case_id = $1
) as lines where ($2::timestamptz is null or (at >= $2 and at < $3)) order by at desc, rank desc, id desc limit $4
"""
