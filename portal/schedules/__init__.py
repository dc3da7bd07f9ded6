"""Count or price time by the hour at which it was worked: evenings, nights, weekends, holidays (D27).

A schedule has windows of wall-clock time in its own time zone. Each window has a factor or an hourly rate. If several
windows contain a minute, the highest value wins; factors are never multiplied with one another. The minutes of an entry
are split where a window begins or ends.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby, pairwise
from zoneinfo import ZoneInfo

from portal.durations import spoken
from portal.money import EXACT, divide_half_up

HOLIDAY = 7
"""The number that means holidays among the days of a window; 0 to 6 mean Monday to Sunday."""

_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive worked minutes of one entry to which the same factor or price applies.

    `factor` is the number of minutes that each worked minute counts for. `hourly_rate` is the price of an hour, or None
    for the usual price.
    """

    minutes: int
    factor: Decimal = Decimal(1)
    hourly_rate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The time from `begins` to `ends` on each of `days`: 0 to 6 for Monday to Sunday, and `HOLIDAY`.

    Both are wall-clock times, as the time since midnight at the start of the day. If the window ends on the next day,
    `ends` is more than 24 hours. `value` is a factor or an hourly rate.
    """

    days: frozenset[int]
    begins: timedelta
    ends: timedelta
    value: Decimal


@dataclass(frozen=True, slots=True)
class Schedule:
    """Windows in the time zone `zone`. On a holiday, the windows of the weekday and those of `HOLIDAY` both apply.

    If `has_rates` is True, the values of all windows are hourly rates. If it is False, all are factors.
    """

    id: int | str
    zone: ZoneInfo
    windows: tuple[Window, ...]
    holidays: frozenset[date] = frozenset()
    has_rates: bool = False

    def split(self, began: datetime, minutes: int) -> tuple[Stretch, ...]:
        """Return the stretches of an entry that began at the instant `began` and took `minutes`.

        Minutes are elapsed time, even where the clock was changed in between. Boundaries between stretches are rounded
        to whole minutes, so the stretches sum to `minutes`.
        """
        begin = began.astimezone(UTC)
        end = begin + timedelta(minutes=minutes)
        points = sorted({begin, end, *(point for point in self._boundaries(begin, end) if begin < point < end)})
        points = sorted({*points, *(jump for pair in pairwise(points) for jump in self._jump(*pair))})
        found: list[Stretch] = []
        for value, members in groupby(pairwise(points), key=lambda pair: self._value_at(pair[0])):
            *_, (_, last) = members
            length = _minutes(last - begin) - sum(stretch.minutes for stretch in found)
            if length:
                found.append(self._stretch(length, value))
        return tuple(found)

    def _stretch(self, minutes: int, value: Decimal | None) -> Stretch:
        if value is None:
            return Stretch(minutes)
        return Stretch(minutes, hourly_rate=value) if self.has_rates else Stretch(minutes, value)

    def _boundaries(self, begin: datetime, end: datetime) -> Iterator[datetime]:
        """Yield each midnight, and each instant at which a window may begin or end.

        The days run from the day before `begin` to the day of `end`. A wall-clock time that occurs twice, because the
        clock is set back, gives two instants.
        """
        offsets = {timedelta(0), *(each for window in self.windows for each in (window.begins, window.ends))}
        day = begin.astimezone(self.zone).date() - _DAY
        while day <= end.astimezone(self.zone).date():
            midnight = datetime.combine(day, time())
            for offset in offsets:
                for fold in (0, 1):
                    yield (midnight + offset).replace(fold=fold, tzinfo=self.zone).astimezone(UTC)
            day += _DAY

    def _jump(self, begin: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the instant between `begin` and `end` at which the wall clock is set forward or back, if there is one.

        There must be at most one such instant.
        """
        before = begin.astimezone(self.zone).utcoffset()
        if before == end.astimezone(self.zone).utcoffset():
            return
        while end - begin > _SECOND:
            middle = begin + (end - begin) // 2
            if middle.astimezone(self.zone).utcoffset() == before:
                begin = middle
            else:
                end = middle
        yield end.replace(microsecond=0)

    def _value_at(self, instant: datetime) -> Decimal | None:
        """Return the highest value of the windows that contain the instant, or None if none contains it."""
        local = instant.astimezone(self.zone).replace(tzinfo=None)
        passed = local - datetime.combine(local.date(), time())
        values = [
            window.value
            for since, day in ((passed, local.date()), (passed + _DAY, local.date() - _DAY))
            for window in self.windows
            if window.begins <= since < window.ends and self._is_day_of(window, day)
        ]
        return max(values, default=None)

    def _is_day_of(self, window: Window, day: date) -> bool:
        return day.weekday() in window.days or (HOLIDAY in window.days and day in self.holidays)


def counted_minutes(stretches: Iterable[Stretch]) -> int:
    """Return the minutes that the stretches count for: the exact sum of minutes times factor, rounded once, half up."""
    exact = Decimal(0)
    for stretch in stretches:
        exact = EXACT.add(exact, EXACT.multiply(stretch.factor, stretch.minutes))
    return int(divide_half_up(exact, 1, 0))


def _minutes(passed: timedelta) -> int:
    """Return a duration in whole minutes, rounded half up."""
    return (2 * passed + timedelta(minutes=1)) // timedelta(minutes=2)


def written(stretches: Iterable[Stretch]) -> str:
    """Return stretches in the form that is stored with an entry; "" if there are none.

    `60x1.5 30x1` means 60 minutes with factor 1.5, then 30 minutes with factor 1. `60@150` means 60 minutes at 150 an
    hour.
    """
    return " ".join(
        f"{one.minutes}x{one.factor.normalize():f}"
        if one.hourly_rate is None
        else f"{one.minutes}@{one.hourly_rate.normalize():f}"
        for one in stretches
    )


def read(stretches: str) -> tuple[Stretch, ...]:
    """Return the stretches from their stored form, the reverse of `written`."""
    return tuple(map(_read, stretches.split()))


def _read(part: str) -> Stretch:
    minutes, is_priced, price = part.partition("@")
    if is_priced:
        return Stretch(int(minutes), hourly_rate=Decimal(price))
    minutes, _, factor = part.partition("x")
    return Stretch(int(minutes), Decimal(factor))


def has_prices(stretches: str | None) -> bool:
    """Return whether any of the stretches has a price. `stretches` is the form that `written` returns, or None."""
    return "@" in (stretches or "")


PLAIN = "counts plainly: no time of day"
"""The text for an entry that has no time of day, so that the factors of its schedule cannot apply (D27)."""


def factors(stretches: str | None) -> str:
    """Return the worked minutes of an entry with their factors or prices, for agents: `1 h × 1.5, 30 min × 1`.

    `stretches` is the form that `written` returns. None means that no schedule applies to the entry; the result is then
    "". If `stretches` is empty, because the entry has no time of day, return `PLAIN`.
    """
    if stretches is None:
        return ""
    if has_prices(stretches):
        return ", ".join(f"{spoken(one.minutes)} at {_price(one)}" for one in read(stretches))
    return ", ".join(f"{spoken(one.minutes)} × {one.factor}" for one in read(stretches)) or PLAIN


def _price(stretch: Stretch) -> str:
    return "the usual price" if stretch.hourly_rate is None else f"{stretch.hourly_rate} an hour"


def factors_alone(stretches: str | None) -> str:
    """Return the factors of an entry as the customer reads them: `× 1.5, × 1`, without the minutes worked (D57).

    Each factor is named once. Return "" if `stretches` is None, or if the stretches have prices: the customer reads
    prices elsewhere, beside the minutes. If `stretches` is empty, because the entry has no time of day, return `PLAIN`.
    """
    if stretches is None or has_prices(stretches):
        return ""
    return ", ".join(dict.fromkeys(f"× {one.factor}" for one in read(stretches))) or PLAIN
