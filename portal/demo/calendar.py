"""Compute the days of the demo: five months up to yesterday, the working hours, and the dates of recurring actions."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

ZONE = "Europe/Berlin"
MONTHS = 5
OPENS, CLOSES = 8 * 60, 17 * 60 + 30
"""When a working day of the demo begins and ends, in minutes after local midnight."""
_SATURDAY, _FRIDAY, _TUESDAY = 5, 4, 1
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Calendar:
    """The days of a demo that is made at the instant `now`, in the time zone of Hamburg, without public holidays."""

    now: datetime

    @cached_property
    def today(self) -> date:
        """Return today's date in Hamburg."""
        return self.now.astimezone(ZoneInfo(ZONE)).date()

    @cached_property
    def yesterday(self) -> date:
        """Return the day before today, the last day on which agents of the demo have worked."""
        return self.today - _DAY

    @cached_property
    def first(self) -> date:
        """Return the first day of the demo's history: the same day of the month five months ago, at most the 28th."""
        year, month = divmod(self.today.year * 12 + self.today.month - 1 - MONTHS, 12)
        return date(year, month + 1, min(self.today.day, 28))

    @cached_property
    def workdays(self) -> list[date]:
        """Return every Monday to Friday from the first day of the demo to yesterday."""
        days = ((self.first + n * _DAY) for n in range((self.today - self.first).days))
        return [day for day in days if day.weekday() < _SATURDAY]

    @cached_property
    def this_month(self) -> date:
        """Return the first day of this month."""
        return self.today.replace(day=1)

    @cached_property
    def last_month(self) -> date:
        """Return the first day of last month, which is over and not billed yet."""
        return (self.this_month - _DAY).replace(day=1)

    @cached_property
    def billed_until(self) -> list[date]:
        """Return, for each monthly billing run, the first day that the run no longer bills, the oldest run first."""
        firsts, day = [], self.last_month
        while day > self.first:
            firsts.append(day)
            day = (day - _DAY).replace(day=1)
        return firsts[::-1]

    def instant(self, day: date, minutes: int) -> datetime:
        """Return the UTC instant that lies `minutes` after midnight of `day` in Hamburg."""
        local = datetime.combine(day, time(minutes // 60, minutes % 60), ZoneInfo(ZONE))
        return local.astimezone(UTC)

    def date_of(self, at: datetime) -> date:
        """Return the date of an instant in Hamburg."""
        return at.astimezone(ZoneInfo(ZONE)).date()

    def later(self, at: datetime, minutes: int) -> datetime:
        """Return the instant that is `minutes` of working time after `at`. Nights and weekends do not count."""
        local = at.astimezone(ZoneInfo(ZONE))
        day, minute = local.date(), local.hour * 60 + local.minute
        left = minutes
        while True:
            minute = max(minute, OPENS)
            if day.weekday() < _SATURDAY and minute + left <= CLOSES:
                return self.instant(day, minute + left)
            if day.weekday() < _SATURDAY:
                left -= max(0, CLOSES - minute)
            day, minute = day + _DAY, OPENS

    def workday_from(self, day: date) -> date:
        """Return `day`, or the Monday after it if `day` is on a weekend."""
        return day + _DAY * (7 - day.weekday()) if day.weekday() >= _SATURDAY else day

    @cached_property
    def submissions(self) -> list[datetime]:
        """Return when agents submit their time, in order.

        These are Fridays, the first working days of months, and the evening of the last working day but one.
        """
        days = [self.instant(day, 16 * 60 + 40) for day in self.workdays if day.weekday() == _FRIDAY]
        months = [self.instant(self.workday_from(day), 8 * 60 + 20) for day in (*self.billed_until, self.this_month)]
        return sorted([*days, *months, self.instant(self.workdays[-2], 17 * 60 + 45)])

    @cached_property
    def approvals(self) -> list[datetime]:
        """Return when managers approve or reject time, in order.

        These are Tuesdays, the first working days of months, and the last working day.
        """
        days = [self.instant(day, 10 * 60 + 5) for day in self.workdays if day.weekday() == _TUESDAY]
        months = [self.instant(self.workday_from(day), 10 * 60 + 40) for day in (*self.billed_until, self.this_month)]
        return sorted([*days, *months, self.instant(self.workdays[-1], 9 * 60 + 10)])

    @property
    def approved_to(self) -> date:
        """Return the last day whose submitted time has all been approved or rejected.

        Time of the four working days after that day is still undecided; time of the last of the four is not submitted.
        """
        return self.workdays[-5]
