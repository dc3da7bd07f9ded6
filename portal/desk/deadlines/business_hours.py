"""Compute the working time between two instants, and the instant at which an amount of working time has passed.

This module knows neither the database nor the present instant. All instants are aware datetimes, and working time is
counted in whole microseconds, so nothing is rounded.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from portal.desk.deadlines.holidays import holidays_of, is_holiday

A_DAY = 24 * 60
"""The minutes of a day, and so the latest end of a window: midnight at the end of the day."""
_MICROSECOND, _DAY = timedelta(microseconds=1), timedelta(days=1)
_MINUTE = 60_000_000
_BLOCK = 64
"""How many days are added to a `Calendar` at once when it needs an instant outside its days."""
FARTHEST = 3700
"""How many days after its start a deadline is searched for.

If these days have too little working time, there is no deadline.
"""

WINDOWS = tuple((weekday, 9 * 60, 17 * 60) for weekday in range(1, 6))
"""The windows that apply until an admin sets others: 9 to 17 o'clock from Monday to Friday."""


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """The stored business hours of the company.

    `windows` are triples of the ISO weekday (1 is Monday) and the begin and end in minutes after midnight. They do not
    overlap. Times are in the time zone `zone`. `country` and `region` choose the public holidays, "" for none. `days`
    maps the company's own days to whether the company is open, regardless of public holidays.
    """

    zone: str = "UTC"
    country: str = ""
    region: str = ""
    windows: tuple[tuple[int, int, int], ...] = WINDOWS
    days: dict[date, bool] = {}

    def days_off(self, around: date) -> frozenset[date]:
        """Return the company's own days off, and the public holidays on which it is closed.

        The public holidays are those from the year before `around` to the year after it.
        """
        years = (year for year in range(around.year - 1, around.year + 2) if date.min.year <= year <= date.max.year)
        public = (
            {day for year in years for day in holidays_of(year, self.country, self.region)} if self.country else set()
        )
        return frozenset((public | self.days.keys()) - {day for day, is_open in self.days.items() if is_open})

    def windows_on(self, day: date) -> list[tuple[int, int]]:
        """Return begin and end of each window of a day, in minutes after midnight; [] if the company is closed."""
        is_open = self.days.get(day)
        if is_open is None:
            is_open = not is_holiday(day, self.country, self.region)
        return (
            sorted((begin, end) for weekday, begin, end in self.windows if weekday == day.isoweekday())
            if is_open
            else []
        )


@dataclass
class Calendar:
    """Business hours as stretches of working time, computed for as many days as have been needed.

    Working time is measured as a position: the amount of working time between a fixed instant of the calendar and
    another instant. `_begins`, `_ends` and `_before` have one item for each stretch: its first instant, its end, and
    the position at its begin, all in microseconds. `_first` is the first day for which stretches were computed, and
    `_next` the day after the last such day. `_covered` is the range of instants, in microseconds, for which all
    stretches are present, so that `_cover` need not be called.
    """

    hours: Hours
    _begins: list[int] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)
    _before: list[int] = field(default_factory=list)
    _first: date | None = None
    _next: date | None = None
    _covered: range = range(0)

    @staticmethod
    @lru_cache(maxsize=8)
    def read(text: str) -> "Calendar":
        """Return the calendar for the business hours in `text`, which are `Hours` as JSON.

        Equal texts return the same object, so that the stretches of each day are computed once.
        """
        return Calendar(msgspec.json.decode(text, type=Hours))

    def due(self, start: datetime, minutes: int, pauses: "Sequence[Stretch]" = ()) -> datetime | None:
        """Return the first instant at which `minutes` of working time outside the pauses have passed since `start`.

        `pauses` are sorted by their begin. Return None if a pause without an end begins before that instant, or if
        there is too little working time within `FARTHEST` days.
        """
        mark = self.position(start) + minutes * _MINUTE
        for begin, end in _joined(start, pauses):
            if self.position(begin) >= mark:
                break
            if end is None:
                return None
            mark += self.position(end) - self.position(begin)
        return self.instant(mark, start)

    def before(self, due_at: datetime, minutes: int, start: datetime) -> datetime:
        """Return the first instant with `minutes` of working time left until `due_at`, but not before `start`."""
        found = self.instant(self.position(due_at) - minutes * _MINUTE, start)
        return max(start, found or start)

    def minutes_between(self, begin: datetime, end: datetime) -> int:
        """Return the whole minutes of working time from `begin` until `end`; 0 if `end` is not later."""
        return max(0, self.position(end) - self.position(begin)) // _MINUTE

    def position(self, at: datetime) -> int:
        """Return the working time from the fixed instant of this calendar until `at`, in microseconds.

        The result is negative for an instant before the fixed one.
        """
        point = _point(at)
        if point not in self._covered:
            self._cover(at)
        index = bisect_right(self._begins, point) - 1
        if index < 0:
            return self._before[0] if self._before else 0
        return self._before[index] + min(point, self._ends[index]) - self._begins[index]

    def instant(self, position: int, after: datetime) -> datetime | None:
        """Return the first instant whose position is `position`, in microseconds (see `Calendar`).

        `after` is an instant that is not later than the result. Return None if there is no such instant within
        `FARTHEST` days.
        """
        if _point(after) not in self._covered:
            self._cover(after)
        last = after + FARTHEST * _DAY
        while not self._begins or self._before[-1] + self._ends[-1] - self._begins[-1] < position:
            if self._next is None or self._next > last.date():
                return None
            self._lay_out(self._next, self._next + _BLOCK * _DAY)
        index = max(0, bisect_left(self._before, position) - 1)
        return _instant(self._begins[index] + position - self._before[index])

    def _cover(self, at: datetime) -> None:
        """Add the stretches of the day of `at`, and of at least one more day on each side, if they are missing.

        The days on each side are needed because a local date may differ from the date in UTC by a day.
        """
        day = at.astimezone(UTC).date()
        if self._first is None or self._next is None:
            self._lay_out(day - 2 * _DAY, day + _BLOCK * _DAY)
        while self._next is not None and day + 2 * _DAY > self._next:
            self._lay_out(self._next, self._next + _BLOCK * _DAY)
        while self._first is not None and day - _DAY <= self._first:
            self._lay_out(self._first - _BLOCK * _DAY, self._first)
        if self._first is not None and self._next is not None:
            self._covered = range(_midnight(self._first + 2 * _DAY), _midnight(self._next - _DAY))

    def _lay_out(self, first: date, end: date) -> None:
        """Add the stretches of the days from `first` up to, but not including, `end`.

        These days must adjoin those that the calendar has already.
        """
        zone = ZoneInfo(self.hours.zone)
        begins, ends = list[int](), list[int]()
        for count in range((end - first).days):
            day = first + count * _DAY
            for minutes in self.hours.windows_on(day):
                begin, close = (_point(_opening(day, minute, zone)) for minute in minutes)
                if begin < close:
                    begins.append(begin)
                    ends.append(close)
        if self._next is None or first >= self._next:
            position = self._before[-1] + self._ends[-1] - self._begins[-1] if self._begins else 0
            self._before += _positions(begins, ends, position)
            self._begins, self._ends, self._next = self._begins + begins, self._ends + ends, end
            self._first = first if self._first is None else self._first
        else:
            position = (self._before[0] if self._before else 0) - sum(ends) + sum(begins)
            self._before = _positions(begins, ends, position) + self._before
            self._begins, self._ends, self._first = begins + self._begins, ends + self._ends, first


Stretch = tuple[datetime, datetime | None]
"""Begin and end of a pause; the end is None while the pause lasts."""


def _joined(start: datetime, pauses: Sequence[Stretch]) -> list[Stretch]:
    """Return the parts of the pauses after `start`, without overlaps, so that no working time is deducted twice."""
    joined, reached = list[Stretch](), start
    for begin, end in pauses:
        if end is not None and end <= reached:
            continue
        joined.append((max(begin, reached), end))
        if end is None:
            break
        reached = end
    return joined


def _positions(begins: list[int], ends: list[int], position: int) -> list[int]:
    """Return the position (see `Calendar`) at the begin of each stretch.

    `position` is the position at the begin of the first stretch.
    """
    found = []
    for begin, end in zip(begins, ends, strict=True):
        found.append(position)
        position += end - begin
    return found


def _opening(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """Return the first instant of the day at which the clocks of `zone` show at least this minute of the day.

    For a time that is skipped when clocks are set forward, return the instant of the change. For a time that occurs
    twice, return the first of the two instants.
    """
    days, minute = divmod(minute, A_DAY)
    wall = datetime.combine(day + days * _DAY, time(minute // 60, minute % 60))
    late = wall.replace(tzinfo=zone).astimezone(UTC)
    if late.astimezone(zone).replace(tzinfo=None) == wall:
        return late
    early = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    while late - early > _MICROSECOND:
        middle = early + (late - early) // 2
        early, late = (early, middle) if middle.astimezone(zone).replace(tzinfo=None) >= wall else (middle, late)
    return late


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def _midnight(day: date) -> int:
    return _point(datetime.combine(day, time(), UTC))


def _point(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _instant(point: int) -> datetime:
    return _EPOCH + timedelta(microseconds=point)
