"""Test how typed durations are read, refused with an error message, rounded and written."""

import re
from datetime import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portal.durations import Duration, Rounding, RoundingMode, clock, parse_duration, read_duration, spoken

minutes_of_a_day = st.integers(1, 1440)
roundings = st.builds(Rounding, st.integers(0, 120), st.integers(1, 90), st.sampled_from(RoundingMode))


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("1h 30m", 90),
        ("1h30", 90),
        ("1h30m", 90),
        ("1h", 60),
        ("90m", 90),
        ("1:30", 90),
        ("0:20", 20),
        ("1.5h", 90),
        ("1,5h", 90),
        ("0.25 h", 15),
        ("45 min", 45),
        ("1 h 30 min", 90),
        ("1\u00a0h\u00a030\u00a0min", 90),
        (" 1H 05M ", 65),
        ("2 hours 1 minute", 121),
        ("24h", 1440),
        ("24:00", 1440),
        ("1440m", 1440),
        ("1h30 ", 90),
        ("1,5", 90),
        ("1.5", 90),
        ("0,25", 15),
        (":30", 30),
        (":05", 5),
        ("½h", 30),
        ("½", 30),
        ("1½h", 90),
        ("1 ½ h", 90),
        ("¾h", 45),
        ("0.25d", 120),
        ("¼d", 120),
        ("1d", 480),
        ("1d 2h", 600),
        ("1d 2h 5m", 605),
        ("2 days 30m", 990),
        ("90", 90),
        ("2", 2),
        ("45", 45),
        ("1h +15", 75),
        ("1h30+15m", 105),
        ("90 + 15 + :15", 120),
        ("1:30 +½h", 120),
        ("+15", 15),
        ("9-10:45", 105),
        ("9:00-10:45", 105),
        ("09:00 – 10:45", 105),
        ("9.30-10.45", 75),
        ("9h-10h45", 105),
        ("9 to 10:45", 105),
        ("22-1:30", 210),
        ("9-10:45 +15", 120),
    ],
)
def test_a_duration_is_read_as_it_is_written(text: str, minutes: int) -> None:
    """S2.9: each accepted spelling of a duration is read as the expected number of minutes."""
    assert parse_duration(text) == minutes


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Write how long it took, such as 1h 30m."),
        ("   ", "Write how long it took, such as 1h 30m."),
        ("1h 90m", "Minutes beside hours go up to 59: write 2h 30m or 150m."),
        ("1:75", "Minutes beside hours go up to 59: write 2h 15m or 135m."),
        ("-5", "Time cannot be negative."),
        ("-1:30", "Time cannot be negative."),
        ("−5m", "Time cannot be negative."),
        ("25h", "One entry holds at most 24 h: split it by day."),
        ("24:01", "One entry holds at most 24 h: split it by day."),
        ("99999999999999999999h", "One entry holds at most 24 h: split it by day."),
        ("0", "Time is at least one minute."),
        ("0h 0m", "Time is at least one minute."),
        ("0:00", "Time is at least one minute."),
        ("1441", "One entry holds at most 24 h: split it by day."),
        ("24h+1", "One entry holds at most 24 h: split it by day."),
        ("1.33", "1.33h is not a whole number of minutes: write 80m."),
        ("0.3d 1h", "Use whole numbers beside each other: write 1h 30m or 1.5h."),
        ("0.001d", "0.001d is not a whole number of minutes: write 0m."),
        ("9-9", "Both clock times are the same: write when it began and when it ended, as in 9-10:45."),
        ("9-24", "Clock times go from 0:00 to 23:59: write 9-10:45."),
        ("9:75-10", "Clock times go from 0:00 to 23:59: write 9-10:45."),
        ("1h ++15", "Write the time as 1h 30m, 90m, 1:30 or 9-10:45."),
        ("1h+", "Write the time as 1h 30m, 90m, 1:30 or 9-10:45."),
        ("+", "Write the time as 1h 30m, 90m, 1:30 or 9-10:45."),
        ("½½h", "Write the time as 1h 30m, 90m, 1:30 or 9-10:45."),
        ("9-10-11", "Write the time as 1h 30m, 90m, 1:30 or 9-10:45."),
        ("1.33h", "1.33h is not a whole number of minutes: write 80m."),
        ("1.5m", "Minutes are whole: write 90m or 1h 30m."),
        ("1.5h 30m", "Use whole numbers beside each other: write 1h 30m or 1.5h."),
        ("１h", "Write the time as 1h 30m, 90m, 1:30 or 9-10:45."),
        ("٣h", "Write the time as 1h 30m, 90m, 1:30 or 9-10:45."),
        ("NaN", "Write the time as 1h 30m, 90m, 1:30 or 9-10:45."),
        ("1e309", "Write the time as 1h 30m, 90m, 1:30 or 9-10:45."),
        ("1:5", "Write the time as 1h 30m, 90m, 1:30 or 9-10:45."),
        ("1:30:00", "Write the time as 1h 30m, 90m, 1:30 or 9-10:45."),
        ("30m 1h", "Write the time as 1h 30m, 90m, 1:30 or 9-10:45."),
        ("h", "Write the time as 1h 30m, 90m, 1:30 or 9-10:45."),
        ("an hour", "Write the time as 1h 30m, 90m, 1:30 or 9-10:45."),
        ("9" * 5000, "Write the time as 1h 30m, 90m, 1:30 or 9-10:45."),
    ],
)
def test_what_is_no_duration_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "instead"), [("2", "2h"), ("12", "12h"), ("13", ""), ("90", ""), ("2m", ""), ("2 +1", ""), ("0.5", "")]
)
def test_a_small_bare_number_is_minutes_and_says_that_hours_may_be_meant(text: str, instead: str) -> None:
    assert read_duration(text).instead == instead


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("9-10:45", Duration(105, time(9), time(10, 45))),
        ("9-10:45 +15", Duration(120, time(9), time(10, 45), added=15)),
        ("22:30-0:15", Duration(105, time(22, 30), time(0, 15))),
    ],
)
def test_two_clock_times_are_kept_beside_the_minutes(text: str, understood: Duration) -> None:
    """D10, D12: typed clock times are returned beside the minutes; an end before the start is on the next day."""
    assert read_duration(text) == understood


def test_a_plus_adds_to_what_the_field_held() -> None:
    assert read_duration("+15", held=90).minutes == 105
    assert read_duration("1h +15", held=90).minutes == 75


def test_a_part_of_a_day_follows_the_working_day_of_the_agent() -> None:
    assert read_duration("0.25d", workday=360).minutes == 90
    with pytest.raises(ValueError, match=r"^0\.25d is not a whole number of minutes: write 116m\.$"):
        read_duration("0.25d", workday=462)


@given(minutes_of_a_day, st.integers(0, 600))
def test_adding_is_the_sum_however_it_is_written(minutes: int, more: int) -> None:
    for plus in (f"{minutes}m +{more}", f"{clock(minutes)}+{clock(more)}", f"{spoken(minutes)} + {more} min"):
        if minutes + more > 1440:
            with pytest.raises(ValueError, match="at most 24 h"):
                read_duration(plus)
        else:
            assert read_duration(plus).minutes == minutes + more


@given(st.integers(0, 1439), st.integers(0, 1439))
def test_two_clock_times_give_the_minutes_from_one_to_the_next(began: int, ended: int) -> None:
    text = f"{clock(began)}-{clock(ended)}"
    if began == ended:
        with pytest.raises(ValueError, match="the same"):
            read_duration(text)
    else:
        assert (began + read_duration(text).minutes) % 1440 == ended


@given(minutes_of_a_day)
def test_what_is_written_is_read_again(minutes: int) -> None:
    assert parse_duration(spoken(minutes)) == parse_duration(clock(minutes)) == parse_duration(f"{minutes}m") == minutes


@given(st.text(max_size=30) | st.text(alphabet="0123456789hmd:.,+-–½¼ ", max_size=14))
@example("²h")
@example("٣½")
@example("9999999999999999999d")
def test_any_text_is_read_or_refused_with_one_sentence(text: str) -> None:
    try:
        minutes, sentence = parse_duration(text), ""
    except ValueError as refusal:
        minutes, sentence = 0, str(refusal)
    assert (1 <= minutes <= 1440) or (sentence.endswith(".") and "\n" not in sentence)


@pytest.mark.parametrize(
    ("rounding", "minutes", "counted"),
    [
        (Rounding(), 7, 7),
        (Rounding(0, 15), 1, 15),
        (Rounding(0, 15), 45, 45),
        (Rounding(0, 15), 46, 60),
        (Rounding(0, 15, RoundingMode.DOWN), 44, 30),
        (Rounding(0, 15, RoundingMode.DOWN), 14, 0),
        (Rounding(0, 15, RoundingMode.NEAREST), 22, 15),
        (Rounding(0, 15, RoundingMode.NEAREST), 23, 30),
        (Rounding(0, 10, RoundingMode.NEAREST), 25, 30),
        (Rounding(20, 15, RoundingMode.DOWN), 5, 20),
        (Rounding(20, 15, RoundingMode.DOWN), 40, 30),
        (Rounding(20, 15, RoundingMode.NEAREST), 5, 20),
        (Rounding(20, 15, RoundingMode.UP), 5, 30),
        (Rounding(30, 15, RoundingMode.UP), 5, 30),
    ],
)
def test_the_minimum_comes_first_and_then_the_increment(rounding: Rounding, minutes: int, counted: int) -> None:
    """D2, D4: rounding first raises a duration to the minimum and then rounds it to the increment, as the mode says.

    The result is never less than the minimum.
    """
    assert rounding.apply(minutes) == counted


@given(roundings, minutes_of_a_day)
def test_rounding_moves_by_less_than_an_increment_and_only_once(rounding: Rounding, minutes: int) -> None:
    counted = rounding.apply(minutes)
    assert counted >= rounding.minimum
    assert counted % rounding.increment == 0 or counted == rounding.minimum
    assert abs(counted - max(minutes, rounding.minimum)) < rounding.increment
    assert rounding.mode is RoundingMode.DOWN or rounding.apply(counted) >= counted
    assert counted % rounding.increment or rounding.apply(counted) == counted


@pytest.mark.parametrize(
    ("minutes", "sentence", "column"),
    [
        (90, "1\u00a0h\u00a030\u00a0min", "1:30"),
        (45, "45\u00a0min", "0:45"),
        (420, "7\u00a0h", "7:00"),
        (0, "0\u00a0min", "0:00"),
        (-65, "−1\u00a0h\u00a05\u00a0min", "−1:05"),
        (6001, "100\u00a0h\u00a01\u00a0min", "100:01"),
    ],
)
def test_sentences_speak_and_columns_show_a_clock(minutes: int, sentence: str, column: str) -> None:
    assert spoken(minutes) == sentence
    assert clock(minutes) == column
