"""Add time entries to the feed of a case, and sum up the time on cases."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from portal.database import current
from portal.desk.feed import WINDOW, Cursor, Feed
from portal.people.readers import AgentReader
from portal.timekeeping.entries import VISIBLE
from portal.timekeeping.lists import COLUMNS, NAMES, ListedEntry

RANK = 3
"""The rank of time entries among the feed items of one instant: they follow messages and events (see `Cursor`)."""


@dataclass(frozen=True, slots=True)
class CaseTime:
    """Sums of the time on one case, in minutes.

    `entries` is the number of all entries, and `worked` are the minutes worked in them. `counts` are the billable
    minutes of all entries that are not rejected. `draft`, `submitted` and `rejected` are the minutes worked in entries
    of that state.
    """

    entries: int
    worked: int
    counts: int
    draft: int
    submitted: int
    rejected: int


SUMS = """
select coalesce(sum(entries), 0)::bigint as sum_entries, coalesce(sum(minutes), 0)::bigint as sum_worked,
  coalesce(sum(counts) filter (where state <> 'rejected'), 0)::bigint as sum_counts,
  coalesce(sum(minutes) filter (where state = 'draft'), 0)::bigint as sum_draft,
  coalesce(sum(minutes) filter (where state = 'submitted'), 0)::bigint as sum_submitted,
  coalesce(sum(minutes) filter (where state = 'rejected'), 0)::bigint as sum_rejected
from time_sum where scope = 'case' and subject_id = $1
"""

WINDOW_OF = """
select * from time_entry where case_id = $1
and ($2::timestamptz is null or (created_at <= $2 and (created_at, 3, id) < ($2, $3::int, $4::bigint)))
order by created_at desc, id desc limit $5
"""


async def with_time(feed: Feed, case_id: int, reader: AgentReader, *, before: str = "") -> tuple[Feed, CaseTime]:
    """Add the case's time entries of the period that the feed covers, and return the feed and the sums of all time.

    `before` is the cursor with which the feed was read. At most `WINDOW` entries are added, the latest ones. If there
    are more, the returned feed begins with the oldest entry that was added; messages and events before it are left out.
    """
    place = Cursor.read(before)
    rows = await current().fetch(
        f"select sums.*, e.* from ({SUMS}) as sums left join (select {COLUMNS} from ({WINDOW_OF}) e {NAMES}"  # noqa: S608
        f" where {VISIBLE[reader.database_role]}) as e on true order by e.at desc, e.id desc",
        case_id, place and place.at, place and place.rank, place and place.id, WINDOW + 1,
    )  # fmt: skip
    sums = CaseTime(**{name: rows[0][f"sum_{name}"] for name in CaseTime.__slots__})
    lines = [
        ListedEntry.of_row({name: value for name, value in row.items() if not name.startswith("sum_")})
        for row in rows
        if row["id"] is not None
    ]
    return _merged(feed, lines[:WINDOW][::-1], more=len(lines) > WINDOW), sums


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


async def worked_on(case_ids: Sequence[int]) -> dict[int, int]:
    """Return the minutes worked on each case, by case id. Cases without time entries are left out."""
    rows = await current().fetch(
        "select subject_id, sum(minutes)::bigint as minutes from time_sum where scope = 'case' and subject_id = any($1)"
        " group by subject_id having sum(entries) > 0",
        case_ids,
    )
    return {row["subject_id"]: row["minutes"] for row in rows}
