"""Test the computation of deadlines in business hours against a slow computation that counts every minute."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from portal.desk.deadlines.business_hours import A_DAY, Calendar, Hours, Stretch
from portal.desk.deadlines.holidays import holidays_of, offered_countries, regions_of
from portal.regions import countries

MINUTE = timedelta(minutes=1)
WITH_LUNCH = tuple((weekday, *window) for weekday in range(1, 6) for window in ((540, 720), (780, 1020)))
"""From Monday to Friday from 9 to 12 and from 13 to 17 o'clock."""
BERLIN = Hours(zone="Europe/Berlin", windows=WITH_LUNCH, country="DE", region="HH")


def at(text: str, zone: str = "Europe/Berlin") -> datetime:
    """Return, in UTC, the instant at which a clock in `zone` shows `text`."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def due(hours: Hours, start: str, minutes: int, *pauses: tuple[str, str | None]) -> str | None:
    """Return when `minutes` of business hours outside the pauses have passed since `start`, or None if they never have.

    All times are texts, on the clock of the hours' time zone. The end of a pause is None while it lasts.
    """
    stretches = [(at(begin, hours.zone), end and at(end, hours.zone)) for begin, end in pauses]
    found = Calendar(hours).due(at(start, hours.zone), minutes, stretches)  # type: ignore[arg-type]
    return f"{found.astimezone(ZoneInfo(hours.zone)):%Y-%m-%d %H:%M}" if found else None


def open_minutes(hours: Hours, start: datetime) -> Iterator[bool]:
    """Yield for each minute from `start` on whether the business is open; `start` is a whole minute.

    A window begins when the clock first reaches its begin on that day, and ends when the clock first reaches its end,
    even if the clock is set back afterwards.
    """
    zone, reached = ZoneInfo(hours.zone), dict[date, int]()
    for step in count(-26 * 60):
        local = (start + step * MINUTE).astimezone(zone)
        day = local.date()
        reached[day] = max(reached.get(day, 0), local.hour * 60 + local.minute)
        if step >= 0:
            yield any(begin <= reached[day] < end for begin, end in hours.windows_on(day))


def slow_due(hours: Hours, start: datetime, minutes: int, pauses: list[Stretch], most: int) -> datetime | None:
    """Compute what `Calendar.due` returns by counting each minute; return None if `most` minutes are not enough."""
    left = minutes
    for step, is_open in zip(range(most), open_minutes(hours, start), strict=False):
        now = start + step * MINUTE
        if any(begin <= now and (end is None or now < end) for begin, end in pauses):
            continue
        left -= is_open
        if left == 0:
            return now + MINUTE
    return None


DAYS = [date(2026, 3, 28), date(2026, 10, 24), date(2026, 12, 23), date(2026, 2, 27), date(2026, 6, 8)]
"""Days before clocks change, before holidays, at the end of a month, and an ordinary Monday."""
ZONES = [
    "Europe/Berlin",
    "UTC",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/Havana",
    "Africa/Cairo",
]
"""Zones whose clocks change at 2 o'clock, at midnight, by half an hour or not at all."""


@some.composite
def business(draw: some.DrawFn) -> Hours:
    """Draw business hours with none to three windows on each of at least three weekdays.

    The hours have a time zone, perhaps a country, and up to two days that the company itself has set as closed or open.
    """
    windows = list[tuple[int, int, int]]()
    for weekday in draw(some.sets(some.integers(1, 7), min_size=3)):
        ends = sorted(draw(some.sets(some.integers(0, A_DAY // 15).map(lambda n: n * 15), max_size=6)))
        windows += [(weekday, begin, end) for begin, end in zip(ends[::2], ends[1::2], strict=False)]
    closed = draw(
        some.dictionaries(some.sampled_from([day + timedelta(days=1) for day in DAYS]), some.booleans(), max_size=2)
    )
    return Hours(
        zone=draw(some.sampled_from(ZONES)),
        windows=tuple(windows),
        country=draw(some.sampled_from(["", "DE", "US"])),
        days=closed,
    )


def compare(hours: Hours, day: date, begin: int, minutes: int, pauses: list[tuple[int, int | None]], days: int) -> None:
    """Assert that the fast and the slow computation find the same deadline.

    The clock starts `begin` minutes after midnight UTC of `day`. Each pause is a pair: the minutes from that start
    until the pause begins, and the length of the pause in minutes, or None if the pause has no end. The slow
    computation gives up after `days` days; the fast one must then find no deadline or a later one.
    """
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) + begin * MINUTE
    stretches = [
        (start + one * MINUTE, None if long is None else start + (one + long) * MINUTE)
        for one, long in sorted(pauses, key=lambda p: p[0])
    ]
    found = Calendar(hours).due(start, minutes, stretches)
    expected = slow_due(hours, start, minutes, stretches, days * A_DAY)
    assert found == expected or (expected is None and (found is None or found > start + days * A_DAY * MINUTE))


PAUSES = some.lists(some.tuples(some.integers(0, 4000), some.one_of(some.integers(0, 2000), some.none())), max_size=4)
CASES = (business(), some.sampled_from(DAYS), some.integers(0, A_DAY), some.integers(1, 1500), PAUSES)


@given(*CASES)
@settings(max_examples=8)
def test_a_deadline_is_the_one_that_counting_each_minute_finds(
    hours: Hours, day: date, begin: int, minutes: int, pauses: list[tuple[int, int | None]]
) -> None:
    """D49: `Calendar` finds the deadline that counting each minute finds.

    The examples have windows, holidays, own days off, clock changes and pauses.
    """
    compare(hours, day, begin, minutes, pauses, 3)


@pytest.mark.long
@given(*CASES)
@settings(max_examples=300)
def test_deadlines_of_many_calendars_are_those_that_counting_each_minute_finds(
    hours: Hours, day: date, begin: int, minutes: int, pauses: list[tuple[int, int | None]]
) -> None:
    """D49: the comparison of the test above holds for many more calendars, over nine days."""
    compare(hours, day, begin, minutes, pauses, 9)


@given(some.integers(-100_000, 100_000), some.integers(0, 100_000))
@settings(max_examples=40)
def test_a_deadline_does_not_depend_on_days_that_were_computed_before(first: int, minutes: int) -> None:
    """D49: a calendar that has computed other days before gives the same deadline as a new one."""
    start = at("2026-06-10 10:00")
    used = Calendar(BERLIN)
    used.position(start + first * 10 * MINUTE)
    assert used.due(start, minutes + 1) == Calendar(BERLIN).due(start, minutes + 1)


@pytest.mark.parametrize(
    ("start", "minutes", "expected"),
    [
        ("2026-11-20 11:00", 60, "2026-11-20 12:00"),  # ends when lunch begins, not when it is over
        ("2026-11-20 11:00", 61, "2026-11-20 13:01"),
        ("2026-11-20 16:30", 60, "2026-11-23 09:30"),  # over the weekend
        ("2026-11-21 03:00", 60, "2026-11-23 10:00"),  # opened on a Saturday night
        ("2026-12-24 16:00", 120, "2026-12-28 10:00"),  # over Christmas
        ("2026-10-30 16:00", 120, "2026-11-02 10:00"),  # over a holiday of Hamburg, on a Saturday
    ],
)
def test_only_business_hours_count(start: str, minutes: int, expected: str) -> None:
    """D49, S3.20: breaks, nights, weekends and public holidays do not count."""
    assert due(BERLIN, start, minutes) == expected


def test_a_day_counts_as_long_as_it_is_when_clocks_change() -> None:
    """D49: with hours around the clock, the two days on which clocks change have 23 and 25 working hours."""
    always = Hours(zone="Europe/Berlin", windows=tuple((weekday, 0, A_DAY) for weekday in range(1, 8)))
    assert due(always, "2026-03-29 00:00", 23 * 60) == "2026-03-30 00:00"
    assert due(always, "2026-10-25 00:00", 25 * 60) == "2026-10-26 00:00"


def test_a_pause_moves_a_deadline_by_its_business_hours() -> None:
    """D49: a pause from Friday to Monday moves the deadline by the working time between, and not by the weekend.

    While a case is paused, it has a deadline only if the deadline falls at or before the start of the pause.
    """
    assert due(BERLIN, "2026-11-20 09:00", 240, ("2026-11-20 10:00", "2026-11-23 10:00")) == "2026-11-23 14:00"
    assert due(BERLIN, "2026-11-20 09:00", 240, ("2026-11-20 10:00", None)) is None
    assert due(BERLIN, "2026-11-20 09:00", 60, ("2026-11-20 10:00", None)) == "2026-11-20 10:00"


def test_an_own_day_wins_over_a_public_holiday() -> None:
    """D49: the company's own days can close a working day, and open a public holiday."""
    own = Hours(zone="Europe/Berlin", country="DE", days={date(2026, 12, 24): False, date(2026, 12, 25): True})
    assert due(own, "2026-12-23 16:00", 120) == "2026-12-25 10:00"


def test_a_calendar_without_working_time_has_no_deadline() -> None:
    """D49: without any window in the week, there is no deadline."""
    assert due(Hours(windows=()), "2026-11-20 09:00", 1) is None


def test_a_deadline_within_known_days_asks_for_no_further_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """To compute the deadlines of a hundred cases of one week, the calendar checks only once whether it has all days."""
    asked, calendar = list[datetime](), Calendar(BERLIN)
    cover = Calendar._cover

    def noted(calendar: Calendar, instant: datetime) -> None:
        asked.append(instant)
        cover(calendar, instant)

    monkeypatch.setattr(Calendar, "_cover", noted)
    found = {calendar.due(at("2026-11-02 10:00") + place * MINUTE, 480) for place in range(100)}
    assert (len(found), len(asked)) == (100, 1)


def test_public_holidays_are_known_for_the_countries_that_forms_offer() -> None:
    """D49: forms offer only countries whose holidays are known, and regions that have holidays of their own.

    Reformation Day is a holiday in Hamburg but not in all of Germany; an unknown country has no holidays.
    """
    assert offered_countries().keys() <= countries().keys()
    assert len(offered_countries()) > 200
    assert "HH" in regions_of("DE")
    assert holidays_of(2026, "DE", "HH")[date(2026, 10, 31)] == "Reformation Day"
    assert date(2026, 10, 31) not in holidays_of(2026, "DE")
    assert holidays_of(2026, "XX") == {}
