"""Test factors and rates for evenings, nights, weekends and holidays (D27)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.billing.simulate import simulate
from portal.schedules import HOLIDAY, Schedule, Window, counted_minutes
from tests.billing import books
from tests.billing.documents import a_contract, a_plan, an_entry, extended, paid_by

WEEK = ["mon", "tue", "wed", "thu", "fri"]
EVENING = {"days": WEEK, "from": "18:00", "to": "22:00", "factor": "1.5"}
NIGHT = {"days": WEEK, "from": "22:00", "to": "06:00", "factor": "2"}
HOLIDAYS = {"days": ["sat", "sun", "holiday"], "factor": "1.75"}


def outcome(windows: list[Any], *entries: Any, **keys: Any) -> Any:
    schedule = {"name": "Hours", "zone": "Europe/Vienna", "holidays": ["2026-01-06"], "windows": windows}
    contract = a_contract(a_plan(schedule="Hours", **keys))
    steps = [{"approve": [entry["id"] for entry in entries]}, {"bill": {"until": "2026-02-01"}}]
    return simulate(extended(schedules=[schedule], contracts=[contract], entries=list(entries), steps=steps))


def counted(output: Any, id: str) -> tuple[list[tuple[int, str]], int]:
    row = output["counted"][id]
    return [(stretch["minutes"], stretch["factor"]) for stretch in row["stretches"]], row["counted_minutes"]


def at(local: str, zone: str = "Europe/Vienna") -> str:
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).isoformat()


def test_an_entry_that_straddles_a_window_is_split_by_the_clock() -> None:
    """D27: work from 17:30 to 18:45 has 30 minutes before the evening, and 45 in it that count as 67.5.

    30 * 1 + 45 * 1.5 = 97.5, rounded half up to 98 minutes: 60 included, 38 charged at 60.00, which is 38.00.
    """
    output = outcome([EVENING], an_entry("a", "2026-01-05", 75, started=at("2026-01-05T17:30")))
    assert counted(output, "a") == ([(30, "1"), (45, "1.5")], 98)
    assert paid_by(output, "a") == [("included", 60, "2026-01-01"), ("charged", 38, None)]
    assert output["allocations"]["a"][-1]["amount"] == "38.00"


def test_the_highest_factor_wins_and_factors_are_never_multiplied() -> None:
    """6 January is a holiday (1.75) and a Tuesday: its evening counts 1.75, not 1.5, and its night 2, not 3.5.

    21:00 to 22:00 is 60 * 1.75 = 105, 22:00 to 23:00 is 60 * 2 = 120, together 225 minutes.
    """
    output = outcome([EVENING, NIGHT, HOLIDAYS], an_entry("a", "2026-01-06", 120, started=at("2026-01-06T21:00")))
    assert counted(output, "a") == ([(60, "1.75"), (60, "2")], 225)


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    """Friday's night window ends at 06:00 on Saturday; Sunday has none, so Monday before 06:00 has the factor 1."""
    friday = an_entry("a", "2026-01-09", 120, started=at("2026-01-10T05:00"))
    monday = an_entry("b", "2026-01-12", 60, started=at("2026-01-12T05:00"))
    output = outcome([NIGHT], friday, monday)
    assert counted(output, "a") == ([(60, "2"), (60, "1")], 180)
    assert counted(output, "b") == ([(60, "1")], 60)


def test_the_wall_clock_is_that_of_the_schedule() -> None:
    """Work that begins at 12:30 in New York counts as evening, because it is then 18:30 in the schedule's time zone."""
    output = outcome([EVENING], an_entry("a", "2026-01-05", 60, started=at("2026-01-05T12:30", "America/New_York")))
    assert counted(output, "a") == ([(60, "1.5")], 90)


def test_an_entry_without_a_clock_time_counts_plainly_and_says_so() -> None:
    """D27, D10: an entry without clock times counts with the factor 1, and so do minutes that a manager has set."""
    set_minutes = an_entry("b", "2026-01-05", 60, started=at("2026-01-05T18:00"), billable_minutes=45)
    output = outcome([EVENING], an_entry("a", "2026-01-05", 60), set_minutes)
    assert [output["counted"][id]["plain"] for id in ("a", "b")] == ["no_clock_time", "billable_minutes"]
    assert [output["counted"][id]["billable_minutes"] for id in ("a", "b")] == [60, 45]


def test_factors_come_before_rounding() -> None:
    """D3, D4: factors are applied before rounding: 20 evening minutes count as 30; rounding first would give 45."""
    output = outcome(
        [EVENING], an_entry("a", "2026-01-05", 20, started=at("2026-01-05T18:00")), rounding={"increment": 15}
    )
    assert output["counted"]["a"]["billable_minutes"] == 30


def test_a_window_may_have_a_rate_instead() -> None:
    """The rate of a window prices the minutes worked in the window, and each minute counts once.

    Work from 17:00 to 19:00 under a subscription with 30 included minutes, at 90.00 from 18:00 on and 60.00 before:

    | minutes        | paid by  | rate  | amount |
    |----------------|----------|-------|--------|
    | 17:00 to 17:30 | included |       | 0.00   |
    | 17:30 to 18:00 | charged  | 60.00 | 30.00  |
    | 18:00 to 19:00 | charged  | 90.00 | 90.00  |
    """
    rate = {"days": WEEK, "from": "18:00", "to": "22:00", "hourly_rate": "90.00"}
    output = outcome([rate], an_entry("a", "2026-01-05", 120, started=at("2026-01-05T17:00")), included_minutes=30)
    pieces = [
        (piece["minutes"], piece["hourly_rate"], piece["rate_source"], piece["amount"])
        for piece in output["allocations"]["a"]
    ]
    assert pieces == [
        (30, None, None, "0.00"), (30, "60.00", "customer", "30.00"), (60, "90.00", "schedule", "90.00"),
    ]  # fmt: skip
    line = output["invoices"][0]["lines"][-1]
    assert (line["minutes"], line["unit_price"], line["net"]) == (90, None, "120.00")


def test_the_order_of_prices_is_the_entrys_own_then_the_schedule_then_overage() -> None:
    """The rate of an entry has precedence over the rate of the schedule, which has precedence over the overage rate."""
    rate = {"days": WEEK, "from": "18:00", "to": "22:00", "hourly_rate": "90.00"}
    started = at("2026-01-05T18:00")
    own = an_entry("own", "2026-01-05", 60, started=started, hourly_rate="10.00")
    output = outcome(
        [rate], own, an_entry("b", "2026-01-05", 60, started=started), included_minutes=0, overage_rate="50.00"
    )
    sources = [[piece["rate_source"] for piece in output["allocations"][id]] for id in ("own", "b")]
    assert sources == [["entry"], ["schedule"]]


def test_rounded_minutes_have_the_rate_of_the_last_stretch_and_held_time_is_one_piece() -> None:
    """50 minutes from 17:30 round to 60, and the 10 added minutes have the rate of the last stretch.

    30 minutes before 18:00 at 60.00 an hour cost 30.00, and 20 + 10 minutes after 18:00 at 90.00 an hour cost 45.00:
    75.00 in all. Held time is one allocation, which names no rate if two rates apply to it.
    """
    rate = {"days": WEEK, "from": "18:00", "to": "22:00", "hourly_rate": "90.00"}
    entry = an_entry("a", "2026-01-05", 50, started=at("2026-01-05T17:30"))
    output = outcome([rate], entry, included_minutes=10, overflow="hold", rounding={"increment": 30})
    held = {"kind": "held", "minutes": 60, "source": None, "hourly_rate": None, "rate_source": None, "amount": "75.00"}
    assert output["allocations"]["a"] == [held]


@pytest.mark.parametrize(
    ("started", "minutes", "expected"),
    [
        ("2026-10-25T01:30+02:00", 180, [(60, 1), (30, 2), (30, 1), (30, 2), (30, 1)]),
        ("2026-03-29T01:30+01:00", 60, [(60, 1)]),
    ],
)
def test_a_window_that_the_clock_change_doubles_or_skips_counts_by_the_wall_clock(
    started: str, minutes: int, expected: list[tuple[int, int]]
) -> None:
    """The window from 02:30 to 03:00 is worked twice on 25 October and never on 29 March (D11).

    On 25 October the clock is set back from 03:00 to 02:00. From 01:30, 60 minutes pass before the window, 30 in it, 30
    outside it (02:00 to 02:30 again), 30 in it, and 30 after it. On 29 March the clock jumps from 02:00 to 03:00.
    """
    window = Window(frozenset(range(7)), timedelta(hours=2, minutes=30), timedelta(hours=3), Decimal(2))
    schedule = Schedule("S", ZoneInfo("Europe/Vienna"), (window,))
    found = schedule.split(datetime.fromisoformat(started), minutes)
    assert [(stretch.minutes, stretch.factor) for stretch in found] == expected


windows = st.builds(
    lambda days, begins, length, factor: Window(
        days, timedelta(minutes=begins), timedelta(minutes=begins + length), Decimal(factor)
    ),
    st.frozensets(st.integers(0, HOLIDAY), min_size=1),
    st.integers(0, 1439),
    st.integers(1, 1440),
    st.sampled_from(["0.5", "1.25", "1.5", "2", "3"]),
)
zones = st.sampled_from(["Europe/Vienna", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe", "UTC"])
instants = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda at: at.replace(second=0, microsecond=0)
)


def reference(schedule: Schedule, began: datetime, minutes: int) -> list[Decimal]:
    """Return the factor of each single minute, found by comparing its wall clock with every window."""
    factors = []
    for number in range(minutes):
        local = (began + timedelta(minutes=number)).astimezone(schedule.zone)
        found = [Decimal(0)]
        for back in (0, 1):
            day = local.date() - timedelta(days=back)
            minute = timedelta(days=back, hours=local.hour, minutes=local.minute)
            for window in schedule.windows:
                is_day = day.weekday() in window.days or (HOLIDAY in window.days and day in schedule.holidays)
                if is_day and window.begins <= minute < window.ends:
                    found.append(window.value)
        factors.append(max(found) or Decimal(1))
    return factors


@given(st.lists(windows, max_size=4), zones, st.sets(st.integers(0, 364)), instants, st.integers(1, 2000))
@books.quick
@pytest.mark.slow
def test_the_split_agrees_with_a_look_at_every_minute(
    found: list[Window], zone: str, holidays: set[int], began: datetime, minutes: int
) -> None:
    """Each minute has the factor that `reference` computes for this minute, and adjacent stretches differ in factor."""
    days = frozenset(datetime(2026, 1, 1, tzinfo=UTC).date() + timedelta(days=number) for number in holidays)
    schedule = Schedule("S", ZoneInfo(zone), tuple(found), days)
    stretches = schedule.split(began, minutes)
    every = [stretch.factor for stretch in stretches for _ in range(stretch.minutes)]
    assert every == reference(schedule, began, minutes)
    assert all(one.factor != other.factor for one, other in pairwise(stretches))
    assert counted_minutes(stretches) == int((2 * sum(every) + 1) // 2)
