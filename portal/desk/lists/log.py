"""Read the complete log of a case, filtered by person, kind and day: its events, and who wrote which message when."""

import io
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from portal.database import current
from portal.desk import events
from portal.desk.cases import Case
from portal.exports import Column, Kind, Sheet, writer_of
from portal.people.readers import AgentReader
from portal.periods import day_in
from portal.render.formats import reading

MOST = 20_000
"""The maximum number of lines on the page of a log, which shows the newest lines. A CSV file has no maximum."""
PAGE = 2_000
GROUPS = {
    "messages": ("Messages", ("reply", "note")),
    "status": ("Status and deadlines", ("opened", "status", "snoozed", "woken", "reminded", "deadline.")),
    "people": ("Who works on it", ("assigned", "dispatched", "department", "left", "contact", "handed")),
    "sharing": ("Sharing and redaction", ("watched", "unwatched", "confidential", "redacted")),
    "time": ("Time and appointments", ("time.", "appointment.")),
    "facts": ("Everything else", ()),
}
"""The groups by which a log can be filtered: the label of each, and the prefixes of its kinds of events, by key.

The group without prefixes has all other kinds.
"""


class Line(NamedTuple):
    """One line of a log. `for_customer` says whether the customer sees what the line is about.

    `number` is the number of the merged case in whose log the line is; None for a line of the case itself.
    """

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
        return cls(
            query.get("person", "").replace("\x00", ""), kind if kind in GROUPS else "", day_in(query.get("day", ""))
        )


async def log_of(case: Case, reader: AgentReader, wanted: Wanted = Wanted()) -> tuple[list[Line], list[str]]:
    """Return at most `MOST` lines of the log that match `wanted`, newest first, and the names that the filter offers.

    The lines of cases that were merged into the case are included. The filter offers the names of all people with a
    line in the log, and the name in `wanted`. If `wanted` has a day, only people with a line on that day are offered.
    """
    rows = await current().fetch(f"{_LINES} order by at desc, rank desc, id desc limit $8", *_asked(case, reader, wanted), MOST)  # fmt: skip
    people = await current().fetch(f"select distinct actor from ({_LINES}) as x", *_asked(case, reader, Wanted(day=wanted.day)))  # noqa: S608 # fmt: skip
    with reading(reader, None, None):
        lines = [_read(row, reader) for row in rows]
    return lines, sorted({row["actor"] for row in people} | ({wanted.person} - {""}))


async def csv_of(case: Case, reader: AgentReader, wanted: Wanted = Wanted()) -> bytes:
    """Return all lines of the log that match `wanted` as a CSV file, oldest first.

    The lines are read and written page by page, so that a long log does not block the event loop.
    """
    file = io.BytesIO()
    writer = writer_of("csv", Sheet(f"Log of #{case.number}", _COLUMNS, []), file)
    place: tuple[Any, ...] = (_BEGINNING, 0, 0)
    while rows := await current().fetch(_AFTER, *_asked(case, reader, wanted), *place, PAGE):
        for line in [_read(row, reader) for row in rows]:
            of = f"#{line.number or case.number}"
            seen = "yes" if line.for_customer else "no"
            writer.add((line.at, of, line.actor, GROUPS[line.group][0], line.words, seen))
        place = tuple(rows[-1][name] for name in ("at", "rank", "id"))
    writer.close()
    return file.getvalue()


def _asked(case: Case, reader: AgentReader, wanted: Wanted) -> tuple[Any, ...]:
    """Return the parameters of `_LINES`: the case, the begin and end of a day, a person, and prefixes of kinds.

    There are two lists of prefixes: for the kinds to include, and for the kinds to leave out. An empty first list
    includes all kinds. The last parameter says whether the second list applies.
    """
    first = datetime.combine(wanted.day, datetime.min.time(), reader.zone) if wanted.day else None
    others = [kind for _, kinds in GROUPS.values() for kind in kinds]
    kinds = list(GROUPS[wanted.group][1]) if wanted.group else []
    is_rest = bool(wanted.group) and not kinds
    return case.id, first, first and first + timedelta(days=1), wanted.person, kinds, others if is_rest else [], is_rest


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
) as lines where ($2::timestamptz is null or (at >= $2 and at < $3)) and ($4 = '' or actor = $4)
  and (cardinality($5::text[]) = 0 or exists (select from unnest($5::text[]) as x (begins) where starts_with(kind, begins)))
  and not ($7 and exists (select from unnest($6::text[]) as x (begins) where starts_with(kind, begins)))
"""
_AFTER = f"{_LINES} and (at, rank, id) > ($8, $9, $10) order by at, rank, id limit $11"
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
