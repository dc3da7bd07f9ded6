"""Test periods: half-open ranges of local dates, and cycles counted from an anchor date (D13)."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.periods import Cycle, Period, period_of, periods_between, today

anchors = st.dates(date(1990, 1, 1), date(2100, 1, 1))
days = st.dates(date(1990, 1, 1), date(2100, 1, 1))
cycles = st.sampled_from(Cycle)


def test_a_period_holds_its_first_day_and_not_its_end() -> None:
    january = Period(date(2026, 1, 1), date(2026, 2, 1))
    assert date(2026, 1, 1) in january
    assert date(2026, 1, 31) in january
    assert date(2026, 2, 1) not in january
    assert january.days == 31
    assert date(9999, 12, 31) in Period(date(2026, 1, 1))


def test_periods_that_only_touch_share_no_day() -> None:
    january = Period(date(2026, 1, 1), date(2026, 2, 1))
    assert january.within(Period(date(2026, 2, 1))) is None
    assert january.within(Period(date(2026, 1, 11))) == Period(date(2026, 1, 11), date(2026, 2, 1))
    assert Period(date(2026, 1, 1)).within(Period(date(2026, 3, 1))) == Period(date(2026, 3, 1))


@pytest.mark.parametrize(
    ("anchor", "cycle", "day", "start", "end"),
    [
        ("2026-01-01", Cycle.MONTHLY, "2026-02-28", "2026-02-01", "2026-03-01"),
        ("2026-01-28", Cycle.MONTHLY, "2026-02-27", "2026-01-28", "2026-02-28"),
        ("2025-11-15", Cycle.QUARTERLY, "2026-02-14", "2025-11-15", "2026-02-15"),
        ("2027-11-15", Cycle.QUARTERLY, "2026-02-15", "2026-02-15", "2026-05-15"),
        ("2026-03-05", Cycle.YEARLY, "2026-03-04", "2025-03-05", "2026-03-05"),
        ("2024-02-28", Cycle.YEARLY, "2024-02-29", "2024-02-28", "2025-02-28"),
        ("2026-01-31", Cycle.MONTHLY, "2026-02-27", "2026-01-31", "2026-02-28"),
        ("2026-01-31", Cycle.MONTHLY, "2026-02-28", "2026-02-28", "2026-03-31"),
        ("2026-01-30", Cycle.MONTHLY, "2028-02-29", "2028-02-29", "2028-03-30"),
        ("2024-02-29", Cycle.YEARLY, "2025-02-28", "2025-02-28", "2026-02-28"),
        ("2024-02-29", Cycle.YEARLY, "2028-02-28", "2027-02-28", "2028-02-29"),
        ("2026-08-31", Cycle.HALF_YEARLY, "2026-03-01", "2026-02-28", "2026-08-31"),
        ("2026-01-05", Cycle.WEEKLY, "2026-03-01", "2026-02-23", "2026-03-02"),
        ("2026-01-05", Cycle.WEEKLY, "2025-12-28", "2025-12-22", "2025-12-29"),
    ],
)
def test_boundaries_are_the_anchor_plus_whole_cycles_in_both_directions(
    anchor: str, cycle: Cycle, day: str, start: str, end: str
) -> None:
    found = period_of(date.fromisoformat(anchor), cycle, date.fromisoformat(day))
    assert str(found) == f"{start}/{end}"


@given(anchors, cycles, days)
def test_every_day_is_in_exactly_one_period(anchor: date, cycle: Cycle, day: date) -> None:
    period = period_of(anchor, cycle, day)
    assert period.end is not None
    assert day in period
    if cycle is Cycle.WEEKLY:
        assert (period.days, period.start.weekday()) == (7, anchor.weekday())
    else:
        assert period.start.day == min(anchor.day, monthrange(period.start.year, period.start.month)[1])
    assert period_of(anchor, cycle, period.start) == period
    assert period_of(anchor, cycle, period.end).start == period.end
    assert period_of(anchor, cycle, period.start - timedelta(days=1)).end == period.start


@given(anchors, cycles, days, st.integers(0, 900))
def test_periods_between_two_days_follow_one_another(anchor: date, cycle: Cycle, first: date, more: int) -> None:
    last = first + timedelta(days=more)
    found = list(periods_between(anchor, cycle, first, last))
    assert first in found[0]
    assert last in found[-1]
    assert all(one.end == next_one.start for one, next_one in pairwise(found))


def test_the_ends_of_the_calendar_do_not_fail() -> None:
    assert period_of(date(2026, 1, 1), Cycle.MONTHLY, date.max) == Period(date(9999, 12, 1), date.max)
    assert period_of(date(2026, 6, 15), Cycle.YEARLY, date.min) == Period(date.min, date(1, 6, 15))
    assert len(list(periods_between(date(2026, 1, 1), Cycle.MONTHLY, date(9999, 11, 1), date.max))) == 2
    assert period_of(date(2026, 1, 5), Cycle.WEEKLY, date.max).end == date.max
    assert period_of(date(2026, 1, 7), Cycle.WEEKLY, date.min).start == date.min


def test_no_period_lies_between_days_in_the_wrong_order() -> None:
    assert not list(periods_between(date(2026, 1, 1), Cycle.MONTHLY, date(2026, 5, 11), date(2026, 5, 5)))


def test_today_is_a_local_date() -> None:
    at = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    assert today("Europe/Vienna", at) == date(2026, 3, 2)
    assert today("America/New_York", at) == date(2026, 3, 1)
    with pytest.raises(ValueError, match="zone"):
        today("UTC", at.replace(tzinfo=None))
