"""What a case's page shows of time: the entries in its feed, a window of them however many there are, and their sums; by one query."""

from dataclasses import dataclass, replace
from typing import Any

from portal.database import current
from portal.desk.feed import WINDOW, Cursor, Feed
from portal.people.readers import AgentReader
from portal.timekeeping.entries import VISIBLE
from portal.timekeeping.lists import COLUMNS, SOURCE, ListedEntry

RANK = 3
"""At one instant an entry comes after what was said and what happened (`desk.feed.Cursor`)."""


@dataclass(frozen=True, slots=True)
class CaseTime:
    """The sums of one case, in minutes: all that was worked, what of it counts (without rejected time), and what waits for whom."""

    entries: int
    worked: int
    counts: int
    draft: int
    submitted: int
    rejected: int


SUMS = """
select count(*) as sum_entries, coalesce(sum(actual_minutes), 0) as sum_worked,
  coalesce(sum(billable_minutes) filter (where state <> 'rejected'), 0) as sum_counts,
  coalesce(sum(actual_minutes) filter (where state = 'draft'), 0) as sum_draft,
  coalesce(sum(actual_minutes) filter (where state = 'submitted'), 0) as sum_submitted,
  coalesce(sum(actual_minutes) filter (where state = 'rejected'), 0) as sum_rejected
from time_entry where case_id = $1
"""

# The ids of the window are found in the index first, so that the names around them are looked up for those only.
WINDOW_OF = """
select id from time_entry where case_id = $1
and ($2::timestamptz is null or (created_at <= $2 and (created_at, 3, id) < ($2, $3::int, $4::bigint)))
order by created_at desc, id desc limit $5
"""


async def with_time(feed: Feed, case_id: int, reader: AgentReader, *, before: str = "") -> tuple[Feed, CaseTime]:
    """The desk's window of a case with its time entries in between, and the case's sums.

    `before`: the place that the feed was asked for. Where more entries than one window has lie in it, it begins with the oldest entry shown.
    """
    place = Cursor.read(before)
    rows = await current().fetch(
        f"select sums.*, e.* from ({SUMS}) as sums left join (select {COLUMNS} {SOURCE} where {VISIBLE[reader.database_role]}"  # noqa: S608
        f" and e.id in ({WINDOW_OF})) as e on true order by e.at desc, e.id desc",
        case_id, place and place.at, place and place.rank, place and place.id, WINDOW + 1,
    )  # fmt: skip
    sums = CaseTime(**{name: rows[0][f"sum_{name}"] for name in CaseTime.__slots__})
    lines = [ListedEntry.of_row({name: row[name] for name in _FIELDS}) for row in rows if row["id"] is not None]
    return _merged(feed, lines[:WINDOW][::-1], more=len(lines) > WINDOW), sums


_FIELDS = [name for name in ListedEntry.__slots__ if name != "shape"]


def _merged(feed: Feed, lines: list[ListedEntry], *, more: bool) -> Feed:
    if feed.since is not None:
        within = [line for line in lines if line.at >= feed.since]
        more, lines = more and len(within) == len(lines), within
    items: list[Any] = feed.items
    if more and lines:
        first = lines[0]
        items = [item for item in items if item.at > first.at]
        feed = replace(feed, items=items, since=first.at, earlier=str(Cursor(first.at, RANK, first.id)))
    return feed.with_items(lines)
