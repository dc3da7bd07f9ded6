"""A list of cases that refreshes itself while somebody looks at it: what is new comes on top, the rest stays where it is (look.md, tables)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from portal.desk import Listed
from portal.desk.lists import Row
from portal.numbers import number_in

MOST = 60
"""Numbers that an address carries of each kind."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page showed: case numbers from top to bottom, which of them came while it was open, and since when it has been open."""

    shown: tuple[int, ...] = ()
    new: frozenset[int] = frozenset()
    since: datetime | None = None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Seen":
        """From the address of a refresh; an address without it is a page that is opened now."""
        since = number_in(query.get("since"), digits=10)
        if since is None:
            return cls()
        return cls(
            tuple(_numbers(query.get("shown", ""))),
            frozenset(_numbers(query.get("new", ""))),
            datetime.fromtimestamp(since, UTC),
        )

    def arranged(self, listed: Listed, at: datetime) -> "Arranged":
        """The rows of a refresh: arrivals first, then what was shown in its old order, then what moved up from the next page."""
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
    """Rows as they are shown, the numbers of those that came while the page was open, and since when it has been open."""

    rows: Sequence[Row]
    new: frozenset[int]
    since: datetime

    @property
    def query(self) -> str:
        """For the address of the next refresh, beside the list's own question."""
        shown = ".".join(str(row.number) for row in self.rows)
        new = ".".join(str(row.number) for row in self.rows if row.number in self.new)
        return urlencode({"since": int(self.since.timestamp()), "shown": shown, "new": new})


def _numbers(text: str) -> list[int]:
    numbers = (number_in(part) for part in text.split(".")[:MOST])
    return [number for number in numbers if number is not None]
