"""Test when an agent is asked whether a running timer was forgotten, and what the timer fills into the form (D54)."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.durations import WORKDAY
from portal.people.working.hours import UNSET, Hours, Week
from portal.timekeeping.clock.lines import BEYOND, OVERNIGHT, TimerLine

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("began", "asked"),
    [
        ((9, 0), (20, 19, 0)),  # after the eight hours of the working day and two more
        ((18, 2), (21, 0, 0)),  # overnight, from midnight
        ((22, 30), (21, 2, 30)),  # overnight, but not within four hours, as it may be a night shift
    ],
)
def test_a_timer_is_asked_about_after_a_working_day_or_overnight(
    began: tuple[int, int], asked: tuple[int, ...]
) -> None:
    """D54: an agent with a working day of eight hours is asked about a timer once it has run for ten hours.

    If midnight comes earlier in Berlin, the agent's time zone, the agent is asked at midnight. If the timer has run for
    less than four hours by then, the agent is asked after four hours.
    """
    day, hour, minute = asked
    line = line_since(datetime(2026, 11, 20, *began, tzinfo=BERLIN))
    assert line.asks_at(BERLIN) == datetime(2026, 11, day, hour, minute, tzinfo=BERLIN)


def line_since(since: datetime, hours: Hours = UNSET) -> TimerLine:
    return TimerLine(1, "", 1, "", "", None, timedelta(0), since, since, None, None, hours)


@pytest.mark.parametrize(
    ("began", "asked"),
    [
        ((20, 9, 0), (20, 15, 0)),  # a Friday of four hours
        ((21, 9, 0), (21, 17, 0)),  # a Saturday off, after the longest working day, of six hours
    ],
)
def test_the_working_hours_of_the_agent_decide_when_a_timer_is_forgotten(
    began: tuple[int, ...], asked: tuple[int, ...]
) -> None:
    """D54: an agent is asked about a timer once it has run two hours longer than the agent works on that weekday.

    On a Friday of four hours, the agent is asked after six hours. On a day off, the agent's longest working day counts.
    """
    part_time = Hours(((date(2026, 1, 1), Week((360, 360, 240, 240, 240, 0, 0))),))
    line = line_since(datetime(2026, 11, *began, tzinfo=BERLIN), part_time)
    assert line.asks_at(BERLIN) == datetime(2026, 11, *asked, tzinfo=BERLIN)


@given(st.integers(0, 365 * 24 * 60))
def test_the_question_comes_between_four_and_ten_hours(minute: int) -> None:
    """A timer started at any hour of a year is asked about after four to ten hours, also across daylight saving."""
    since = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    asks_at = line_since(since).asks_at(BERLIN)
    assert asks_at is not None
    assert since + OVERNIGHT <= asks_at <= since + timedelta(minutes=WORKDAY) + BEYOND


def test_a_paused_timer_is_not_asked_about() -> None:
    line = TimerLine(1, "", 1, "", "", None, timedelta(hours=12), SINCE, None, SINCE + timedelta(hours=12), None)
    assert (line.asks_at(BERLIN), line.is_forgotten(SINCE + timedelta(days=3), BERLIN)) == (None, False)


def test_a_timer_fills_in_when_it_began_and_ended() -> None:
    """A timer fills in clock times unless its beginning and end are in the same minute or at least a day apart."""
    line = line_since(SINCE)
    assert line.clock_times(SINCE + timedelta(minutes=75), BERLIN) == ("09:00", "10:15")
    assert line.clock_times(SINCE + timedelta(seconds=20), BERLIN) == ("", "")
    assert line.clock_times(SINCE + timedelta(days=1), BERLIN) == ("", "")
    assert line.minutes(SINCE + timedelta(seconds=20)) == 1


SINCE = datetime(2026, 11, 20, 9, 0, tzinfo=BERLIN)
