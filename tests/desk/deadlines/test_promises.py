"""Test the words in which pages show the deadlines of a case."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from portal.desk.deadlines.promises import Clock, Line
from portal.desk.deadlines.reckoning import Deadline, Duty, Pause
from portal.render.formats import NBSP, reading
from tests.world import ADA, NOW

HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
HOURS = '{"zone":"Europe/Berlin"}'


def clock(*deadlines: Deadline, pause: Pause | None = None) -> Clock:
    return Clock(deadlines={one.duty: one for one in deadlines}, pause=pause, hours=HOURS)


def due(duty: Duty, due_at: datetime | None, **more: object) -> Deadline:
    return Deadline(duty=duty, minutes=240, due_at=due_at, soon_at=due_at and due_at - HOUR, **more)  # type: ignore[arg-type]


def line(shown: Clock) -> Line | None:
    """Return the line about deadlines that a list of cases shows at NOW to Ada, who is in Berlin; None if it shows none.

    No-break spaces are replaced by plain ones.
    """
    with reading(ADA, SimpleNamespace(time_zone="UTC"), NOW):
        found = shown.line(NOW)
    return found and found._replace(words=found.words.replace(NBSP, " "))


@pytest.mark.parametrize(
    ("due_at", "words", "tone"),
    [
        (NOW + 58 * MINUTE, "Reply in 58 min", "soon"),
        (NOW + 3 * HOUR, "Reply by today 14:00", ""),
        (NOW + 3 * DAY, "Reply by Mon 11:00", ""),
        (NOW + 18 * DAY, "Reply by Tue 8 Dec", ""),
        (NOW, "Reply 1 min over", "late"),
        (NOW - 35 * MINUTE, "Reply 35 min over", "late"),
        (NOW - 5 * HOUR, "Reply 5 h over", "late"),
        (NOW - 3 * DAY, "Reply 3 days over", "late"),
    ],
)
def test_a_deadline_names_the_duty_and_how_near_it_is(due_at: datetime, words: str, tone: str) -> None:
    """S3.20: the words name the duty and the time in the reader's time zone; a near deadline is `soon`, a missed one `late`."""
    found = line(clock(due(Duty.REPLY, due_at)))
    assert found
    assert (found.words, found.tone) == (words, tone)


def test_the_pie_shows_the_share_of_the_working_time_that_is_used() -> None:
    """S3.20: on Friday at 11:00, with four promised hours, 0 % are used for a deadline at 15:00, and 75 % for one at 12:00.

    If more working hours are left than were promised, 0 % are used.
    """
    shares = [found.used for hours in (4, 1) if (found := line(clock(due(Duty.SOLVE, NOW + hours * HOUR))))]
    assert shares == [0, 0.75]
    weekend = line(clock(due(Duty.SOLVE, NOW + 3 * DAY)))
    assert weekend
    assert weekend.used == 0, "eight hours of work are left, more than were promised"


@pytest.mark.parametrize("cause", ["customer", "others", "done"])
@pytest.mark.parametrize("passed", [HOUR, -HOUR, None])
def test_what_waits_or_is_done_is_neither_near_nor_late(cause: str, passed: timedelta | None) -> None:
    """D49: for a case that waits, the list shows only since when it waits; for a case that is done, it shows nothing.

    Neither case is shown as `soon` or `late`, even if a deadline has passed.
    """
    pause = Pause(cause=cause, began_at=NOW - 2 * DAY)
    found = line(clock(due(Duty.REPLY, passed and NOW + passed), due(Duty.SOLVE, passed and NOW + passed), pause=pause))
    assert found is None if cause == "done" else found == Line("Paused since Wed", sign="paused")


@pytest.mark.parametrize(
    ("late", "words"), [(-HOUR, "Solved in time"), (timedelta(0), "Solved in time"), (2 * HOUR, "Solved 2 h late")]
)
def test_a_case_that_is_done_says_what_was_kept(late: timedelta, words: str) -> None:
    """S3.20: once a case is done, the list shows whether it was solved in time or how late."""
    done = due(Duty.SOLVE, NOW - DAY, met_at=NOW - DAY + late)
    found = line(clock(done, pause=Pause(cause="done", began_at=NOW)))
    assert found
    assert (found.words, found.tone) == (words, "")


def test_a_case_without_promises_shows_none() -> None:
    """S3.20: a case for which no deadline is promised shows no deadline and no pause."""
    assert line(Clock(deadlines=None, pause=None, hours=HOURS)) is None
