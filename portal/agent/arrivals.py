"""Keep the order of a list of cases while the page refreshes the list.

New cases come first, and displayed cases keep their order, so that no row moves away under the mouse.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from portal.desk import Listed
from portal.desk.lists import Row
from portal.numbers import number_in

MOST = 60
"""The maximum number of case numbers in one query parameter of the refresh URL; the others are ignored."""


@dataclass(frozen=True, slots=True)
class Seen:
    """State of an open page with the list of cases.

    `shown` holds the case numbers that the page displays, from top to bottom. `new` holds the numbers of the cases that
    arrived while the page was open. `since` is when the page was opened, or None if it is opened now.
    """

    shown: tuple[int, ...] = ()
    new: frozenset[int] = frozenset()
    since: datetime | None = None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Seen":
        """Return the state that a refresh of the page sends in its query string.

        Without `since`, the page is opened now, so return an empty state.
        """
        since = number_in(query.get("since"), digits=10)
        if since is None:
            return cls()
        return cls(
            tuple(_numbers(query.get("shown", ""))),
            frozenset(_numbers(query.get("new", ""))),
            datetime.fromtimestamp(since, UTC),
        )

    def arranged(self, listed: Listed, at: datetime) -> "Arranged":
        """Return the rows of `listed` in display order, which is the order of `listed` if the page is opened now.

        For a refresh, the cases that arrived since the page was opened come first. Then come the displayed cases in
        their old order. Last come the cases that have moved up from the next page of the list, because displayed cases
        have left the list.
        """
        if self.since is None:
            return Arranged(listed.rows, frozenset(), at)
        places = {number: place for place, number in enumerate(self.shown)}
        arrived = [row for row in listed.rows if row.number not in places and row.updated_at >= self.since]
        stayed = sorted((row for row in listed.rows if row.number in places), key=lambda row: places[row.number])
        moved_up = [row for row in listed.rows if row.number not in places and row.updated_at < self.since]
        new = frozenset(row.number for row in arrived) | self.new
        return Arranged([*arrived, *stayed, *moved_up], new, self.since)


@dataclass(frozen=True, slots=True)
class Arranged:
    """Rows in display order.

    `new` holds the numbers of the cases that arrived while the page was open. `since` is when the page was opened.
    """

    rows: Sequence[Row]
    new: frozenset[int]
    since: datetime

    @property
    def query(self) -> str:
        """Return the query parameters that `Seen.read` reads at the next refresh. The filters are not among them."""
        shown = ".".join(str(row.number) for row in self.rows)
        new = ".".join(str(row.number) for row in self.rows if row.number in self.new)
        return urlencode({"since": int(self.since.timestamp()), "shown": shown, "new": new})


def _numbers(text: str) -> list[int]:
    numbers = (number_in(part) for part in text.split(".")[:MOST])
    return [number for number in numbers if number is not None]
