"""Test how clock times become instants, also when daylight saving begins or ends, and what an edit leaves unchanged."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.database import transaction
from portal.errors import Invalid
from portal.people.readers import SYSTEM
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.instants import Span, span_of
from portal.timekeeping.work import Work
from tests.world import HELPDESK, INES, NOW

BERLIN = "Europe/Berlin"
BACK, FORWARD = date(2026, 10, 25), date(2026, 3, 29)
"""Dates on which daylight saving ends (3:00 becomes 2:00) and begins (2:00 becomes 3:00) in Berlin."""


def utc(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "began", "ended", "minutes"),
    [
        (date(2026, 11, 20), time(9), time(10, 45), 105),
        (date(2026, 11, 20), time(22), time(1, 30), 210),
        (BACK, time(1, 30), time(3, 30), 180),
        (BACK, time(2, 30), time(2, 15), 45),
        (FORWARD, time(1, 30), time(3, 30), 60),
        (date(2026, 10, 24), time(22), time(4), 420),
    ],
)
def test_minutes_are_what_passed_and_not_what_the_clocks_differ_by(
    day: date, began: time, ended: time, minutes: int
) -> None:
    """D11, D12: a span has the minutes that really pass, also past midnight and when daylight saving begins or ends."""
    assert span_of(day, began, ended, BERLIN).minutes == minutes


@pytest.mark.parametrize(("began", "ended"), [(time(2, 30), time(4)), (time(1), time(2, 30))])
def test_a_clock_time_that_the_day_does_not_have_is_refused(began: time, ended: time) -> None:
    if began == time(2, 30):
        with pytest.raises(Invalid) as refusal:
            span_of(FORWARD, began, ended, BERLIN)
        assert "never showed 2:30" in refusal.value.fields["duration"]
    else:  # The local time 2:30 exists again on the next day.
        assert span_of(FORWARD, began, ended, BERLIN).minutes == 24 * 60 + 30


def test_another_end_leaves_the_beginning_in_its_own_half_past_two() -> None:
    """D11: on a day with two 2:30s, an entry that begins at the later one keeps its start if only its end is edited."""
    known = Span(utc(BACK, 1, 30), utc(BACK, 2, 30), BERLIN)
    assert known.clock_times() == (time(2, 30), time(3, 30))
    assert span_of(BACK, time(2, 30), time(3, 45), BERLIN, known) == Span(utc(BACK, 1, 30), utc(BACK, 2, 45), BERLIN)
    assert span_of(BACK, time(2, 30), time(3, 45), BERLIN).started_at == utc(BACK, 0, 30)


def test_another_beginning_leaves_the_end() -> None:
    """D11: on a day with two 2:30s, an entry that ends at the later one keeps its end if only its start is edited."""
    known = Span(utc(BACK, 0), utc(BACK, 1, 30), BERLIN)
    assert span_of(BACK, time(1, 30), time(2, 30), BERLIN, known).ended_at == utc(BACK, 1, 30)


@given(
    st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    st.times(), st.times(), st.sampled_from([BERLIN, "Asia/Kolkata", "America/St_Johns", "Pacific/Auckland", "UTC"]),
)  # fmt: skip
def test_an_edit_that_changes_nothing_moves_nothing(day: date, began: time, ended: time, zone: str) -> None:
    """D10, D11: in every time zone, saving the clock times that the form shows leaves the stored instants unchanged."""
    began, ended = (at.replace(second=0, microsecond=0) for at in (began, ended))
    try:
        span = span_of(day, began, ended, zone)
    except Invalid:
        return
    assert span.started_at < span.ended_at <= span.started_at + timedelta(hours=49)
    assert span.clock_times() == (began, ended)
    assert span.started_at.astimezone(ZoneInfo(zone)).date() == day
    assert span_of(day, *span.clock_times(), zone, span) == span


def worked(**values: Any) -> Work:
    facts: dict[str, Any] = {"minutes": None, "work_date": date(2026, 11, 19), "service_id": HELPDESK}
    return Work(**facts | values)


@pytest.mark.usefixtures("dsn")
async def test_an_entry_keeps_its_instants_its_zone_and_its_day() -> None:
    """D10, D12: time past midnight counts on the day on which it began.

    An entry without clock times has no instants and no time zone.
    """
    async with transaction(INES):
        night = await TimeEntry.log(INES, worked(began=time(23), ended=time(0, 30)), at=NOW)
        plain = await TimeEntry.log(INES, worked(minutes=30), at=NOW)
        night, plain = [await TimeEntry.find(entry.id, INES) for entry in (night, plain)]
    assert (night.started_at, night.ended_at) == (utc(date(2026, 11, 19), 22), utc(date(2026, 11, 19), 23, 30))
    assert (night.time_zone, night.work_date, night.actual_minutes) == (BERLIN, date(2026, 11, 19), 90)
    assert (plain.started_at, plain.ended_at, plain.time_zone) == (None, None, None)


@pytest.mark.usefixtures("dsn")
async def test_editing_the_end_moves_neither_the_start_nor_what_was_worked_otherwise() -> None:
    """D11: editing the end keeps the instant of the beginning.

    If the form sends minutes besides the clock times (such as time without a break), these minutes are stored.
    """
    async with transaction(INES):
        entry = await TimeEntry.log(INES, worked(began=time(9), ended=time(10, 45)), at=NOW)
        longer = await entry.change(INES, worked(began=time(9), ended=time(11)), version=1, at=NOW)
        paused = await longer.change(INES, worked(minutes=90, began=time(9), ended=time(11)), version=2, at=NOW)
    assert (longer.started_at, longer.actual_minutes) == (entry.started_at, 120)
    assert (paused.ended_at, paused.actual_minutes) == (longer.ended_at, 90)


@pytest.mark.usefixtures("dsn")
async def test_a_duration_is_rounded_and_no_instant() -> None:
    """D5: rounding to an hour makes 45 minutes count as 60, and moves neither beginning nor end of the entry.

    This also holds in a time zone with a half-hour offset.
    """
    async with transaction(SYSTEM) as tx:
        await tx.execute("update service set rounding_increment = 60 where id = $1", HELPDESK)
        await tx.execute("update agent set time_zone = 'Asia/Kolkata' where id = $1", INES.id)
    async with transaction(INES):
        entry = await TimeEntry.log(INES, worked(began=time(9, 7), ended=time(9, 52)), at=NOW)
    assert (entry.started_at, entry.ended_at) == (utc(date(2026, 11, 19), 3, 37), utc(date(2026, 11, 19), 4, 22))
    assert (entry.actual_minutes, entry.billable_minutes) == (45, 60)


def typed(**fields: str) -> Work:
    values = {"duration": "", "work_date": "2026-11-19", "billing": ""} | fields
    return Work.typed(service_id=None, **values)  # type: ignore[arg-type]


def test_clock_times_are_read_from_the_duration_or_from_fields_of_their_own() -> None:
    """S1.17: the duration may be empty if both clock times are given; clock times can also be typed as the duration."""
    assert (typed(duration="9-10:45").began, typed(duration="9-10:45").minutes) == (time(9), None)
    assert (typed(began="09:00", ended="10:45").ended, typed(began="09:00", ended="10:45").minutes) == (
        time(10, 45),
        None,
    )
    assert typed(duration="1h", began="09:00", ended="10:45").minutes == 60
    assert typed(duration="9-10:45 +15").added == 15


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, {"duration"}),
        ({"duration": "1h", "began": "09:00"}, {"ended"}),
        ({"began": "9 o'clock", "ended": "10:00"}, {"began"}),
        ({"duration": "soon", "work_date": "someday"}, {"duration", "work_date"}),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_field(fields: dict[str, str], wrong: set[str]) -> None:
    with pytest.raises(Invalid) as refusal:
        typed(**fields)
    assert set(refusal.value.fields) == wrong
