"""Test the time line of a day: gaps, overlaps and lanes, also over midnight and when daylight saving begins or ends."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.database import transaction
from portal.timekeeping.calendar.days import SHORTEST_GAP, day_of, stretches_of
from portal.timekeeping.entries import TimeEntry
from portal.timekeeping.work import Work
from tests.world import HELPDESK, INES, MAX, NOW

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)


def entry(id: int, began: int, ended: int) -> Any:
    """Return an object like a listed entry that begins `began` and ends `ended` minutes after `START`."""
    return SimpleNamespace(
        id=id, started_at=START + timedelta(minutes=began), ended_at=START + timedelta(minutes=ended)
    )


def summed(*spans: tuple[int, int]) -> list[tuple[int | None, int, int, int]]:
    """Return the stretches of a day whose entries have these spans: beginning and end, in minutes after `START`.

    A stretch is given as the id of its entry (None for a gap), its length, its overlap and its lane. The id of an entry
    is the position of its span, from 1.
    """
    found = stretches_of([entry(number, *span) for number, span in enumerate(spans, start=1)], BERLIN)
    return [(one.entry.id if one.entry else None, one.minutes, one.overlap, one.lane) for one in found]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], []),
        ([(0, 60), (60, 90)], [(1, 60, 0, 0), (2, 30, 0, 0)]),
        ([(0, 60), (64, 90)], [(1, 60, 0, 0), (2, 26, 0, 0)]),
        ([(0, 60), (65, 90)], [(1, 60, 0, 0), (None, 5, 0, 0), (2, 25, 0, 0)]),
        ([(0, 60), (45, 90)], [(1, 60, 0, 0), (2, 45, 15, 1)]),
        ([(0, 120), (30, 60), (60, 90)], [(1, 120, 0, 0), (2, 30, 30, 1), (3, 30, 30, 1)]),
        ([(0, 60), (0, 60), (90, 95)], [(1, 60, 0, 0), (2, 60, 60, 1), (None, 30, 0, 0), (3, 5, 0, 0)]),
        ([(90, 100), (0, 10)], [(2, 10, 0, 0), (None, 80, 0, 0), (1, 10, 0, 0)]),
    ],
)
def test_gaps_and_overlaps_of_a_day(spans: list[tuple[int, int]], expected: list[Any]) -> None:
    """S1.21: five minutes or more between two entries are a gap; minutes shared with an earlier entry are an overlap."""
    assert summed(*spans) == expected


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(1, 240)), max_size=12))
def test_the_minutes_of_a_day_add_up(lengths: list[tuple[int, int]]) -> None:
    """S1.21: the worked minutes minus the overlaps are the covered minutes; entries in one lane never overlap."""
    spans = [(began, began + length) for began, length in lengths]
    stretches = stretches_of([entry(number, *span) for number, span in enumerate(spans, start=1)], BERLIN)
    timed = [one for one in stretches if one.entry]
    covered = {minute for began, ended in spans for minute in range(began, ended)}
    assert sum(one.minutes for one in timed) - sum(one.overlap for one in timed) == len(covered)
    gaps = [one for one in stretches if one.entry is None]
    assert all(one.minutes >= SHORTEST_GAP for one in gaps)
    for gap in gaps:
        first = int((gap.began - START).total_seconds()) // 60
        assert not covered & set(range(first, first + gap.minutes))
    for lane in {one.lane for one in timed}:
        beside = [one for one in timed if one.lane == lane]
        assert all(one.ended <= other.began for one, other in pairwise(beside))


@pytest.mark.usefixtures("dsn")
async def test_a_day_shows_own_entries_with_and_without_times(case: Any) -> None:
    """S1.21, D10: Ines's day has her entries with clock times on the time line, and those without as a separate list.

    Max's entries and entries of other days are left out.
    """
    day = date(2026, 11, 19)
    async with transaction(INES):
        for began, ended in ((time(9), time(10, 30)), (time(10), time(11)), (time(13, 15), time(14))):
            work = Work(minutes=None, began=began, ended=ended, work_date=day, service_id=HELPDESK)
            await TimeEntry.log(INES, work, at=NOW, case=case)
        await TimeEntry.log(INES, Work(minutes=20, work_date=day, service_id=HELPDESK), at=NOW, case=case)
        await TimeEntry.log(
            INES, Work(minutes=20, work_date=day - timedelta(1), service_id=HELPDESK), at=NOW, case=case
        )
    async with transaction(MAX):
        await TimeEntry.log(MAX, Work(minutes=20, work_date=day, service_id=HELPDESK), at=NOW, case=case)
    async with transaction(INES):
        shown = await day_of(INES, day, 480)
    assert [one.times for one in shown.stretches] == [
        "9:00 to 10:30",
        "10:00 to 11:00",
        "11:00 to 13:15",
        "13:15 to 14:00",
    ]
    assert (shown.minutes, shown.gap, shown.overlap, shown.lanes) == (215, 135, 30, 2)
    assert [entry.minutes for entry in shown.untimed] == [20]
    assert shown.ticks[0] == ("0.00", "9")
    assert shown.ticks[-1] == ("100.00", "14")
    assert shown.bars[0].length == "30.00"


@pytest.mark.usefixtures("dsn")
async def test_the_hour_that_occurs_twice_is_drawn_twice_as_long(case: Any) -> None:
    """D10, D11: on the day on which the clock is set back, the time line shows the hour from 2 to 3 twice."""
    day = date(2026, 10, 25)
    async with transaction(INES):
        work = Work(minutes=None, began=time(1), ended=time(4), work_date=day, service_id=HELPDESK)
        await TimeEntry.log(INES, work, at=NOW, case=case)
        shown = await day_of(INES, day, 0)
    assert shown.stretches[0].minutes == 240
    assert [hour for _, hour in shown.ticks] == ["1", "2", "2", "3", "4"]
