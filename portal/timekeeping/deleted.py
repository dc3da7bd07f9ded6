"""List the time entries that were deleted, each with its versions, which are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from portal.database import current
from portal.people.readers import AgentReader
from portal.timekeeping import versions
from portal.timekeeping.versions import Version

PAGE = 50
"""The maximum number of deleted entries on one page of the list."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """A time entry that was deleted.

    `history` holds all versions of the entry, the oldest first. The last one records the deletion, with the content
    that the entry had. `version` is the id of this last version, and serves as the keyset cursor of the list.
    """

    id: int
    version: int
    history: Sequence[Version]

    @property
    def deletion(self) -> Version:
        """Return the last version of the entry, which says who deleted it and when."""
        return self.history[-1]

    def had(self, column: str) -> Any:
        """Return the value that the entry had in `column` when it was deleted, or None if it had none.

        The value is a text or a number. For a column that held an id, return the name of what the id referred to.
        """
        return self.deletion.columns.get(column, (None,))[0]

    @property
    def work_date(self) -> date | None:
        """Return the day on which the work was done."""
        found = self.had("work_date")
        return date.fromisoformat(found) if found else None


@dataclass(frozen=True, slots=True)
class DeletedPage:
    """One page of deleted entries, the latest deletion first. `more` is True if earlier deletions follow."""

    entries: Sequence[Deleted]
    more: bool


async def list_deleted(reader: AgentReader, since: date, until: date, *, before: int | None = None) -> DeletedPage:
    """Return a page of the entries that were deleted from the day `since` to the day `until`, both included.

    Days begin and end in the reader's time zone. `before` is the cursor: the `version` of the last entry on the
    previous page.
    """
    last = min(until, date.max - timedelta(days=1)) + timedelta(days=1)
    # Both days stay one day inside the calendar: its last day has no next day, and east of Greenwich the beginning of
    # its first day has no UTC time.
    first = max(since, date.min + timedelta(days=1))
    begins, ends = (datetime.combine(day, time(), reader.zone) for day in (first, last))
    rows = await current().fetch(
        "select id, entry_id from entry_version where verb = 'deleted' and at >= $1 and at < $2 and ($3::bigint is null or id < $3)"
        " order by id desc limit $4",
        begins, ends, before, PAGE + 1,
    )  # fmt: skip
    histories = await versions.of_entries([row["entry_id"] for row in rows[:PAGE]])
    found = [Deleted(row["entry_id"], row["id"], histories[row["entry_id"]]) for row in rows[:PAGE]]
    return DeletedPage(found, len(rows) > PAGE)
