"""One day of an agent on a time line: the entries with clock times, the gaps between them, and where they overlap."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from portal.people.readers import AgentReader
from portal.timekeeping.filters import Filter
from portal.timekeeping.lists import ListedEntry, page

MOST = 200
"""The maximum number of entries of one day on the page; the list of entries shows all of them."""
SHORTEST_GAP = 5
"""The minimum length of a gap between two entries, in minutes. Shorter ones are not shown."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the day between two instants, which are shown as clock times in the time zone `zone`.

    The part is an entry, or a gap if `entry` is None. `overlap` is the number of minutes that the entry shares with
    entries that began before it. `lane` is the number of the row in which the part is drawn, counted from 0:
    overlapping entries are drawn in different rows.
    """

    began: datetime
    ended: datetime
    zone: ZoneInfo
    entry: ListedEntry | None = None
    overlap: int = 0
    lane: int = 0

    @property
    def minutes(self) -> int:
        """Return the elapsed minutes, which are right even if daylight saving begins or ends in between."""
        return int((self.ended - self.began).total_seconds()) // 60

    @property
    def times(self) -> str:
        """Return the clock times in words, such as `9:00 to 10:45`."""
        began, ended = (instant.astimezone(self.zone) for instant in (self.began, self.ended))
        return f"{began.hour}:{began:%M} to {ended.hour}:{ended:%M}"

    @property
    def typed(self) -> str:
        """Return the clock times as the field for a duration reads them, such as `9:00-10:45`."""
        return self.times.replace(" to ", "-")


@dataclass(frozen=True, slots=True)
class Bar:
    """The drawing of a stretch: its beginning (`at`) and its length in per cent of the width of the time line."""

    stretch: Stretch
    at: str
    length: str


@dataclass(frozen=True, slots=True)
class Day:
    """The time of an agent on one day.

    `stretches` are the entries with clock times and the gaps between them, the earliest first. `untimed` are the
    entries without clock times. `hours` are the full hours at which the drawing begins and ends, None if there is
    nothing to draw. `target` is how many minutes the agent has to work. `more` is True if the day has entries that are
    not shown.
    """

    day: date
    stretches: Sequence[Stretch]
    untimed: Sequence[ListedEntry]
    target: int = 0
    more: bool = False
    hours: tuple[datetime, datetime] | None = field(default=None)

    @property
    def entries(self) -> list[ListedEntry]:
        """Return the entries that the page shows: those with clock times, then those without."""
        return [one.entry for one in self.stretches if one.entry] + list(self.untimed)

    @property
    def minutes(self) -> int:
        """Return the minutes worked in the entries that the page shows."""
        return sum(entry.minutes for entry in self.entries)

    @property
    def gap(self) -> int:
        """Return the sum of the minutes of all gaps."""
        return sum(one.minutes for one in self.stretches if one.entry is None)

    @property
    def overlap(self) -> int:
        """Return the sum of the minutes that each entry shares with earlier entries."""
        return sum(one.overlap for one in self.stretches)

    @property
    def lanes(self) -> int:
        """Return how many rows (lanes) the drawing needs: 1, or more if entries overlap."""
        return max((one.lane for one in self.stretches), default=0) + 1

    @property
    def bars(self) -> list[Bar]:
        """Return the drawing of each stretch, in the order of `stretches`."""
        return [
            Bar(one, self._share(one.began), f"{100 * (one.ended - one.began) / self._length:.2f}")
            for one in self.stretches
        ]

    @property
    def ticks(self) -> list[tuple[str, str]]:
        """Return the labels of the time line as pairs: the place in per cent of the width, and the hour to print.

        A time line of up to 12 hours has a label at every hour. A time line of up to 24 hours has a label at every
        second hour, a longer time line at every fourth hour.
        """
        if self.hours is None:
            return []
        began, ended = self.hours
        count = int((ended - began) / timedelta(hours=1))
        step = 1 if count <= 12 else 2 if count <= 24 else 4
        zone = self.stretches[0].zone
        marks = [began + timedelta(hours=number) for number in range(0, count + 1, step)]
        return [(self._share(mark), f"{mark.astimezone(zone).hour}") for mark in marks]

    @property
    def _length(self) -> timedelta:
        return self.hours[1] - self.hours[0] if self.hours else timedelta(hours=1)

    def _share(self, instant: datetime) -> str:
        began = self.hours[0] if self.hours else instant
        return f"{100 * (instant - began) / self._length:.2f}"


def stretches_of(entries: Sequence[ListedEntry], zone: ZoneInfo) -> list[Stretch]:
    """Return the entries with clock times, each with overlap and lane, and the gaps between them, the earliest first.

    A gap begins when all earlier entries have ended, and ends when the next entry begins. Gaps shorter than
    `SHORTEST_GAP` minutes are left out. The overlap of an entry is the time that it shares with any of the entries
    before it in this order.
    """
    timed = sorted(
        ((entry.started_at, entry.ended_at, entry) for entry in entries if entry.started_at and entry.ended_at),
        key=lambda one: (one[0], one[1], one[2].id),
    )
    found: list[Stretch] = []
    lanes: list[datetime] = []
    covered: datetime | None = None
    for began, ended, entry in timed:
        if covered and began - covered >= timedelta(minutes=SHORTEST_GAP):
            found.append(Stretch(covered, began, zone))
        shared = max(min(covered, ended) - began, timedelta()) if covered else timedelta()
        lane = next((number for number, free in enumerate(lanes) if free <= began), len(lanes))
        lanes[lane : lane + 1] = [ended]
        found.append(Stretch(began, ended, zone, entry, int(shared.total_seconds()) // 60, lane))
        covered = max(covered, ended) if covered else ended
    return found


async def day_of(reader: AgentReader, day: date, target: int) -> Day:
    """Return the reader's own time on `day`; `target` is how many minutes the reader has to work on that day."""
    listed = await page(reader, Filter("agent", reader.id, since=day, until=day), size=MOST)
    zone = ZoneInfo(reader.time_zone)
    stretches = stretches_of(listed.lines, zone)
    untimed = sorted((line for line in listed.lines if line.span is None), key=lambda line: line.id)
    return Day(day, stretches, untimed, target, listed.more, _hours(stretches, zone))


def _hours(stretches: Sequence[Stretch], zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """Return the full hours between which all stretches lie, or None if there are no stretches.

    The beginning of the first stretch is rounded down, and the end of the last one is rounded up.
    """
    if not stretches:
        return None
    first = min(one.began for one in stretches).astimezone(zone)
    last = max(one.ended for one in stretches).astimezone(zone)
    began = datetime.combine(first.date(), time(first.hour), zone)
    length = timedelta(hours=-((began - last) // timedelta(hours=1)))
    return began.astimezone(stretches[0].began.tzinfo), (began + length).astimezone(stretches[0].began.tzinfo)
