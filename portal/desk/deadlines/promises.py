"""Put the deadlines of a case into words: how near they are, whether they were met, and since when the clock is paused.

Contacts and agents read the same words. The duty is always named. While a case waits or is done, its deadlines are
neither near nor late (S3.20, D49).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from portal.desk.deadlines.business_hours import Calendar
from portal.desk.deadlines.calendars import HOURS
from portal.desk.deadlines.reckoning import Deadline, Duty, Pause
from portal.durations import spoken
from portal.render import formats

IN_MINUTES = timedelta(hours=1)
"""Within this time before a deadline, pages show the minutes that are left instead of the day and the time."""


def clock_sql(alias: str) -> str:
    """Return the SQL expression for the JSON that `Clock.read` reads, for the case with the table alias `alias`.

    The business hours in it are the same for all rows, so PostgreSQL reads them once.
    """
    return (
        f"json_build_object('deadlines', (select json_object_agg(d.duty, to_json(d)) from deadline d where d.case_id = {alias}.id),"  # noqa: S608
        f" 'pause', (select to_json(s) from pause s where s.case_id = {alias}.id and s.ended_at is null), 'hours', {HOURS}::text)::text"
    )


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """The deadlines of a case and its running pause, from which pages make their words.

    `deadlines` maps each duty to its deadline, and is None if nothing is promised for the case. `pause` is the running
    pause, and `hours` the text that `Calendar.read` reads.
    """

    deadlines: Mapping[Duty, Deadline] | None = None
    pause: Pause | None = None
    hours: str = "{}"

    @staticmethod
    def read(text: str) -> "Clock":
        """Parse the JSON that the SQL expression of `clock_sql` yields, and return the deadlines of the case."""
        return msgspec.json.decode(text, type=Clock)

    @property
    def all(self) -> list[Deadline]:
        """Return the deadlines of the case, the reply first."""
        return [one for duty in Duty if (one := (self.deadlines or {}).get(duty))]

    @property
    def is_done(self) -> bool:
        """Return whether the clock is paused because the case is resolved or closed."""
        return self.pause is not None and self.pause.cause == "done"

    @property
    def first(self) -> Deadline | None:
        """Return the deadline that a list shows: the first one that is not met, or None.

        For a case that is done, this is the deadline of the solution, or None if no solution was given.
        """
        if self.is_done:
            solution = (self.deadlines or {}).get(Duty.SOLVE)
            return solution if solution and solution.met_at else None
        left = [one for one in self.all if not one.met_at]
        return min(left, key=lambda one: (one.due_at is None, one.due_at), default=None)

    def line(self, now: datetime) -> "Line | None":
        """Return what a list shows of the deadlines at the instant `now`, or None if it shows nothing.

        Times are in the time zone and the notation of the person for whom the page is rendered.
        """
        return self.shown(self.first, now) if self.first else None

    def shown(self, one: Deadline, now: datetime) -> "Line":
        """Return what a page shows of the deadline `one` at `now`."""
        if one.met_at:
            return Line(_kept(one))
        if self.pause:
            return Line("" if self.is_done else self.paused, sign="paused")
        if one.due_at is None:
            return Line("")
        if now >= one.due_at:
            return Line(f"{one.duty.verb} {_span(now - one.due_at)} over", "late", 1)
        left = one.due_at - now
        when = f"in {_span(left)}" if left < IN_MINUTES else f"by {formats.coming(one.due_at)}"
        tone = "soon" if one.soon_at and now >= one.soon_at else ""
        return Line(f"{one.duty.verb} {when}", tone, self._used(one, now))

    @property
    def paused(self) -> str:
        """Return since when the clock is paused, in words; "" if it is running."""
        return f"Paused since {formats.since(self.pause.began_at)}" if self.pause else ""

    def _used(self, one: Deadline, now: datetime) -> float:
        """Return the share of the promised time that is used, from 0 to 1."""
        left = Calendar.read(self.hours).minutes_between(now, one.due_at) if one.due_at else one.minutes
        return max(0, 1 - left / one.minutes)


class Line(NamedTuple):
    """What a page shows of a deadline.

    `tone` is the class of its colour: `late`, `soon`, or "" for any other. `used` is the share of the promised time
    that is used, which the page draws as a pie; None for no pie. `sign` is `paused` while the clock is paused.
    """

    words: str
    tone: str = ""
    used: float | None = None
    sign: str = ""


def _kept(one: Deadline) -> str:
    """Return in words whether a duty that is done was done in time, such as `Solved in time` or `Replied 2 h late`."""
    done = {Duty.REPLY: "Replied", Duty.SOLVE: "Solved"}[one.duty]
    if one.met_at is None or one.due_at is None or one.met_at <= one.due_at:
        return f"{done} in time"
    return f"{done} {_span(one.met_at - one.due_at)} late"


def _span(time: timedelta) -> str:
    """Return a length of time in words: in minutes below one hour, in hours below two days, else in days."""
    minutes = max(1, time // timedelta(minutes=1))
    if minutes < 60:
        return spoken(minutes)
    if minutes < 48 * 60:
        return spoken(minutes // 60 * 60)
    return formats.plural(minutes // (24 * 60), "day")
