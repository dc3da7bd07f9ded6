"""Test how the windows of a service (hours of the week with a factor or a price) are typed, stored and used."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.schedules import HOLIDAY, counted_minutes, factors, factors_alone, read, written
from portal.schedules.windows import holidays, schedule_of, windows


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("mon-fri 18:00-22:00 x1.5", "Mon-Fri 18:00-22:00 x1.5"),
        ("Saturday, sunday , HOLIDAYS ×2", "Sat, Sun, Holidays x2"),
        ("Mo 8:00-9:00 x1", None),
        ("Fri–Mon 22:00–6:00 * 1,50", "Mon, Fri-Sun 22:00-06:00 x1.5"),
        ("Mon x2\n\n Mon x2 ", "Mon x2"),
        ("Mon 0:00-24:00 x2", "Mon x2"),
        ("", ""),
        ("Mon-Fri x1.5 and more", None),
        ("Mon-Wed-Fri x2", None),
        ("Mon-Holidays x2", None),
        ("Mon 18:60-22:00 x2", None),
        ("Mon 24:00-24:00 x2", None),
        ("Mon x0", None),
        ("sat, sun @ 150,50", "Sat, Sun at 150.5"),
        ("Sat 8:00-12:00 at 150", "Sat 08:00-12:00 at 150"),
        ("Sat at 0", "Sat at 0"),
        ("Mon at 150\nTue x2", None),
        ("Mon at 1.23456", None),
        ("Mon x11", None),
        ("\n".join(f"Mon {hour}:00-23:00 x2" for hour in range(21)), None),
    ],
)
def test_windows_are_read_in_every_usual_spelling_and_stored_in_one(typed: str, stored: str | None) -> None:
    """D27: each usual spelling is stored in one form, and that form, typed again, is stored unchanged.

    A line that cannot be read is refused with an error message.
    """
    if stored is None:
        with pytest.raises(ValueError, match=r"\.$"):
            windows(typed)
    else:
        assert windows(typed) == stored == windows(stored)


def test_holidays_are_dates() -> None:
    """D27: holidays are sorted, without duplicates; the error message names any word that is no date."""
    assert holidays("2026-12-25, 2026-01-01\n2026-12-25") == "2026-01-01\n2026-12-25"
    with pytest.raises(ValueError, match="“Christmas” is no date"):
        holidays("2026-12-25 Christmas")


def test_the_text_of_a_service_is_the_schedule_of_the_engine() -> None:
    """D27: for work from 17:30 to 19:00 on a Friday in Berlin, the hour after 18:00 counts one and a half times."""
    schedule = schedule_of("Mon-Fri 18:00-22:00 x1.5\nHolidays x2", "2026-11-13", "Europe/Berlin")
    assert schedule is not None
    assert [window.days for window in schedule.windows] == [frozenset(range(5)), frozenset({HOLIDAY})]
    assert schedule.holidays == {date(2026, 11, 13)}
    stretches = schedule.split(datetime(2026, 11, 20, 16, 30, tzinfo=UTC), 90)
    assert (written(stretches), counted_minutes(stretches)) == ("30x1 60x1.5", 120)
    assert factors("30x1 60x1.5") == "30\N{NO-BREAK SPACE}min × 1, 1\N{NO-BREAK SPACE}h × 1.5"
    assert factors_alone("30x1 60x1.5 30x1") == "× 1, × 1.5"
    assert (factors(None), factors("")) == ("", "counts plainly: no time of day")


def test_windows_with_prices_are_a_schedule_with_rates() -> None:
    """D27: for work from 17:30 to 19:00, the hour after 18:00 counts as one hour and has the price 150.

    On a holiday of the company's calendar, the price of the window for holidays applies.
    """
    text = "Mon-Fri 18:00-22:00 at 150\nHolidays at 180.5"
    schedule = schedule_of(text, None, "Europe/Berlin", calendar=[date(2026, 12, 25)])
    assert schedule is not None
    assert schedule.has_rates
    stretches = schedule.split(datetime(2026, 11, 20, 16, 30, tzinfo=UTC), 90)
    assert (written(stretches), counted_minutes(stretches), read(written(stretches))) == ("30x1 60@150", 90, stretches)
    assert factors("30x1 60@150") == "30\N{NO-BREAK SPACE}min at the usual price, 1\N{NO-BREAK SPACE}h at 150 an hour"
    assert factors_alone("30x1 60@150") == ""
    assert written(schedule.split(datetime(2026, 12, 25, 9, tzinfo=UTC), 60)) == "60@180.5"
    assert schedule_of(None, None, "Europe/Berlin") is None


days = st.lists(st.sampled_from(["Mon", "Tue-Thu", "Sat-Mon", "Holidays"]), min_size=1, max_size=3).map(", ".join)
hours = st.sampled_from(["", " 18:00-22:00", " 22:00-6:00", " 0:00-24:00"])
factor = st.integers(1, 1000).map(lambda cents: Decimal(cents) / 100)


@given(st.lists(st.builds("{}{} x{}".format, days, hours, factor), max_size=4))
def test_what_is_stored_means_what_was_typed(lines: list[str]) -> None:
    """D27: the stored text stays the same when it is read and stored again, and has one window for each line."""
    typed = "\n".join(lines)
    stored = windows(typed)
    assert windows(stored) == stored
    if stored:
        found = schedule_of(stored, None, "UTC")
        assert found is not None
        assert len(found.windows) == len(set(stored.splitlines()))
