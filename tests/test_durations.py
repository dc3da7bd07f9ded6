"""Durations: what is read, what is refused and with which sentence, rounding, and how they are written."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.durations import Rounding, RoundingMode, clock, parse_duration, spoken

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
    ],
)
def test_a_duration_is_read_as_it_is_written(text: str, minutes: int) -> None:
    """S2.9."""
    assert parse_duration(text) == minutes


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Say how long it took, such as 1h 30m."),
        ("   ", "Say how long it took, such as 1h 30m."),
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
        ("90", "90 can mean minutes or hours: write 90m or 90h."),
        ("1", "1 can mean minutes or hours: write 1m or 1h."),
        ("1.5", "1.5 has no unit: write 1.5h if hours are meant."),
        ("1.33h", "1.33h is no whole number of minutes: write 80m."),
        ("1.5m", "Minutes are whole: write 90m or 1h 30m."),
        ("1.5h 30m", "Use whole hours beside minutes: write 1h 30m or 1.5h."),
        ("１h", "Write the time as 1h 30m, 90m or 1:30."),
        ("٣h", "Write the time as 1h 30m, 90m or 1:30."),
        ("NaN", "Write the time as 1h 30m, 90m or 1:30."),
        ("1e309", "Write the time as 1h 30m, 90m or 1:30."),
        ("1:5", "Write the time as 1h 30m, 90m or 1:30."),
        ("1:30:00", "Write the time as 1h 30m, 90m or 1:30."),
        ("30m 1h", "Write the time as 1h 30m, 90m or 1:30."),
        ("h", "Write the time as 1h 30m, 90m or 1:30."),
        ("an hour", "Write the time as 1h 30m, 90m or 1:30."),
        ("9" * 5000, "Write the time as 1h 30m, 90m or 1:30."),
    ],
)
def test_what_is_no_duration_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        parse_duration(text)


@given(minutes_of_a_day)
@settings(deadline=None)
def test_what_is_written_is_read_again(minutes: int) -> None:
    assert parse_duration(spoken(minutes)) == parse_duration(clock(minutes)) == parse_duration(f"{minutes}m") == minutes


@given(st.text(max_size=30))
@settings(deadline=None)
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
    """D2, D4."""
    assert rounding.apply(minutes) == counted


@given(roundings, minutes_of_a_day)
@settings(deadline=None)
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
