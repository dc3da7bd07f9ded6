"""Calculate with local dates: half-open periods, and the billing periods that follow from an anchor date (D13)."""

from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `start` up to but not including `end`; if `end` is None, the period has no end."""

    start: date
    end: date | None = None

    def __contains__(self, day: date) -> bool:
        return self.start <= day and (self.end is None or day < self.end)

    def __str__(self) -> str:
        return f"{self.start}/{self.end or ''}"

    @property
    def days(self) -> int:
        """Return the number of days. Raise `ValueError` for a period without an end."""
        if self.end is None:
            raise ValueError("an open period has no number of days")
        return max(0, (self.end - self.start).days)

    @property
    def last(self) -> date:
        """Return the last day. Raise `ValueError` for a period without an end."""
        if self.end is None:
            raise ValueError("an open period has no last day")
        return self.end - timedelta(days=1)

    def without(self, others: "Iterable[Period]") -> "list[Period]":
        """Return the parts of this period that lie in none of the others, in order.

        If this period has no end, each of the others must have one.
        """
        parts, start = [], self.start
        for other in sorted(others, key=lambda each: each.start):
            if start < other.start:
                parts += [part] if (part := Period(start, other.start).within(self)) else []
            start = max(start, other.end or date.max)
        return [*parts, Period(start, self.end)] if self.end is None or start < self.end else parts

    def within(self, other: "Period") -> "Period | None":
        """Return the period of the days that lie in both periods, or None if there are none."""
        start = max(self.start, other.start)
        ends = [end for end in (self.end, other.end) if end is not None]
        end = min(ends, default=None)
        return Period(start, end) if end is None or start < end else None


class Cycle(StrEnum):
    """How often a contract is billed: the length of its billing periods."""

    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    HALF_YEARLY = "half_yearly"
    YEARLY = "yearly"

    @property
    def word(self) -> str:
        """Return the text that people read, such as `A half-year`."""
        return {
            "weekly": "A week",
            "monthly": "A month",
            "quarterly": "A quarter",
            "half_yearly": "A half-year",
            "yearly": "A year",
        }[self.value]


_MONTHS = {Cycle.MONTHLY: 1, Cycle.QUARTERLY: 3, Cycle.HALF_YEARLY: 6, Cycle.YEARLY: 12}
_WEEK = 7

PLAIN_CYCLES = (Cycle.MONTHLY, Cycle.QUARTERLY, Cycle.YEARLY)
"""The billing cycles that the input of the command `portal simulate` may have unless it says `"extended": true`."""

LAST_ANCHOR_DAY = 28
"""The last day of a month on which the anchor of a contract may be. Every month has a 28th.

This limit is only for input of `portal simulate` that does not say `"extended": true`.
"""


def period_of(anchor: date, cycle: Cycle, day: date) -> Period:
    """Return the billing period that contains `day`.

    Periods begin on `anchor` and at every multiple of the cycle before and after it. In a month that is too short for
    the day of `anchor`, a period begins on the last day: with an anchor on 31 January, monthly periods begin on 31
    January, 28 February, 31 March and 30 April. If a period would begin or end outside the calendar (years 1 to 9999),
    the first or the last day of the calendar takes the place of that date.
    """
    if cycle is Cycle.WEEKLY:
        index = (day - anchor).days // _WEEK
    else:
        index = ((day.year - anchor.year) * 12 + day.month - anchor.month) // _MONTHS[cycle]
        index -= day < _boundary(anchor, cycle, index)
    return Period(_boundary(anchor, cycle, index), _boundary(anchor, cycle, index + 1))


def periods_between(anchor: date, cycle: Cycle, first: date, last: date) -> Iterator[Period]:
    """Yield the billing periods that contain any day from `first` to `last`, both included, in order."""
    period = period_of(anchor, cycle, first)
    while max(period.start, first) <= last:
        yield period
        if period.end is None or period.end >= date.max:
            return
        period = period_of(anchor, cycle, period.end)


def _boundary(anchor: date, cycle: Cycle, index: int) -> date:
    """Return the first day of the billing period number `index`; period 0 begins at `anchor`."""
    if cycle is Cycle.WEEKLY:
        ordinal = anchor.toordinal() + index * _WEEK
        return date.fromordinal(min(max(ordinal, date.min.toordinal()), date.max.toordinal()))
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + index * _MONTHS[cycle], 12)
    if year < date.min.year:
        return date.min
    if year > date.max.year:
        return date.max
    return date(year, month + 1, min(anchor.day, monthrange(year, month + 1)[1]))


def today(zone: str, at: datetime) -> date:
    """Return the date at the instant `at` in the time zone with the name `zone`. Raise `ValueError` for a naive `at`."""
    if at.tzinfo is None:
        raise ValueError("an instant needs a zone")
    return at.astimezone(ZoneInfo(zone)).date()


_MARGIN = timedelta(days=31)


def day_in(text: str | None) -> date | None:
    """Return the day that a text such as `2026-11-20` from a URL means, or None for any other text.

    Days within a month of either end of the calendar (years 1 to 9999) are None too, so that callers can compute the
    days and weeks around the result.
    """
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        return None
    return day if date.min + _MARGIN <= day <= date.max - _MARGIN else None
