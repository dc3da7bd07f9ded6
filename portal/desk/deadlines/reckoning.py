"""Compute the deadlines of a case from the begin of its clock, its pauses, the targets, and what is done already.

This module knows neither the database nor the present instant (D49).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from portal.desk.deadlines.business_hours import Calendar, Stretch


class Duty(StrEnum):
    """What the company owes on a case: the first reply to the customer, and the solution."""

    REPLY = "reply"
    SOLVE = "solve"

    @property
    def verb(self) -> str:
        """Return the verb that people read for the duty: Reply or Solve."""
        return self.value.capitalize()

    @property
    def noun(self) -> str:
        """Return the noun that people read for the duty: First reply or Solution."""
        return "First reply" if self is Duty.REPLY else "Solution"


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch in which the clock of a case is paused.

    `cause` says why: `customer` or `others` if the case waits for them, `done` if it is resolved or closed. `ended_at`
    is None while the pause lasts.
    """

    cause: str
    began_at: datetime
    ended_at: datetime | None = None


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """The deadline of one duty.

    `minutes` are the business minutes that were promised. `due_at` is None while the clock is paused, unless the duty
    is done or the deadline had passed before the pause. `met_at` is when the duty was done. `soon_at` is when the
    deadline comes near, and `warn_at` when the next warning of the deadline is due. There are two warnings: that the
    deadline comes near, and that it has passed. `soon_told` and `late_told` are the values that `due_at` had when the
    first and the second warning were sent, or None. If `due_at` moves, the warnings are sent again.
    """

    duty: Duty
    minutes: int
    due_at: datetime | None = None
    met_at: datetime | None = None
    soon_at: datetime | None = None
    warn_at: datetime | None = None
    soon_told: datetime | None = None
    late_told: datetime | None = None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The values from which the deadlines of one case are computed.

    `began_at` is when the clock of the case began. Three mappings have duties as keys. `targets` has the minutes that
    are promised now, `done` has the instant at which the duty was done, or None, and `deadlines` has the deadline that
    was computed before. `pauses` are sorted by their begin.
    """

    began_at: datetime
    targets: Mapping[Duty, int | None]
    done: Mapping[Duty, datetime | None]
    deadlines: Mapping[Duty, Deadline] = {}
    pauses: Sequence[Pause] = ()

    @property
    def is_paused(self) -> bool:
        """Return whether the clock is paused."""
        return any(pause.ended_at is None for pause in self.pauses)


def deadlines_of(known: Known, calendar: Calendar) -> dict[Duty, Deadline]:
    """Return the deadlines of a case by duty, without duties for which nothing is promised.

    A duty that is done keeps its deadline and the minutes that were promised when it was done, so that no later change
    of the targets makes it late. If nothing was promised at that time, the duty has no deadline. A pause moves only
    deadlines of duties that were not done before the pause.
    """
    found = dict[Duty, Deadline]()
    for duty in Duty:
        before, met_at = known.deadlines.get(duty), known.done[duty]
        if before and before.met_at and met_at:
            found[duty] = before
        elif computed := _deadline(duty, before, met_at, known, calendar):
            found[duty] = computed
    return found


def first_due(deadlines: Mapping[Duty, Deadline], *, is_paused: bool) -> tuple[datetime | None, datetime | None]:
    """Return when the first deadline that is not met is due, and when it comes near.

    Both are None while the clock is paused, and if there is no such deadline.
    """
    open_ones = [one for one in deadlines.values() if one.due_at and not one.met_at]
    if is_paused or not open_ones:
        return None, None
    first = min(open_ones, key=lambda one: (one.due_at, one.duty))
    return first.due_at, first.soon_at


def _deadline(
    duty: Duty, before: Deadline | None, met_at: datetime | None, known: Known, calendar: Calendar
) -> Deadline | None:
    """Return the deadline of one duty, or None if nothing is promised or there is too little working time.

    `before` is the deadline that was computed last, and `met_at` when the duty was done, or None. A duty that was done
    keeps the promised minutes of `before`.
    """
    promised = known.targets.get(duty) if met_at is None else before and before.minutes
    if not promised:
        return None
    due_at = calendar.due(known.began_at, promised, _until(met_at, known.pauses))
    if due_at is None and (met_at or not known.is_paused):  # There is no working time in the calendar.
        return None
    soon_at, told_at = _near(due_at, promised, known.began_at, calendar) if due_at else (None, None)
    soon_told, late_told = (before.soon_told, before.late_told) if before else (None, None)
    warns = due_at and not met_at and not known.is_paused
    warn_at = (told_at if soon_told != due_at else due_at if late_told != due_at else None) if warns else None
    return Deadline(
        duty=duty, minutes=promised, due_at=due_at, met_at=met_at, soon_at=soon_at, warn_at=warn_at, soon_told=soon_told, late_told=late_told
    )  # fmt: skip


def _until(met_at: datetime | None, pauses: Sequence[Pause]) -> list[Stretch]:
    """Return the pauses as stretches.

    If `met_at` is given, leave out pauses that begin at `met_at` or later, and let all others end at `met_at` at the
    latest.
    """
    stretches = [(pause.began_at, pause.ended_at) for pause in pauses]
    if met_at is None:
        return stretches
    return [(begin, met_at if end is None else min(end, met_at)) for begin, end in stretches if begin < met_at]


def _near(due_at: datetime, minutes: int, began_at: datetime, calendar: Calendar) -> tuple[datetime, datetime]:
    """Return when a deadline comes near, and when to warn people that it does.

    A deadline is near in its last business hour or, for more than ten promised hours, in the last tenth of the time.
    For less than two promised hours, people are warned when half of the time has passed, because the last business hour
    may begin as soon as the clock does.
    """
    left = max(60, minutes // 10)
    warned = min(left, max(1, minutes // 2))
    return calendar.before(due_at, left, began_at), calendar.before(due_at, warned, began_at)
