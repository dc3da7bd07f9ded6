"""Test how whole numbers, UUIDs and days in URLs are read."""

import uuid
from datetime import date

import pytest

from portal.agent.arrivals import Seen
from portal.numbers import number_in, uuid_in
from portal.periods import day_in
from portal.timekeeping.filters import key


@pytest.mark.parametrize("text", ["", None, "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "one", "²", "٣", "9" * 19])
def test_anything_but_plain_digits_that_fit_a_bigint_is_no_number(text: str | None) -> None:
    """R50: anything but digits that fit a bigint is read as None, so PostgreSQL never gets a number it refuses."""
    assert number_in(text) is None


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), (1403, 1403), ("9" * 18, 10**18 - 1)])
def test_plain_digits_are_their_number(text: object, number: int) -> None:
    assert number_in(text) == number


def test_a_number_is_no_longer_than_its_column_takes() -> None:
    assert number_in("999999999", digits=9) == 999_999_999
    assert number_in("2147483648", digits=9) is None


def test_anything_but_a_uuid_is_no_uuid() -> None:
    """R50: `uuid_in` returns None for anything but a UUID, so that a link built from its result leads to no other path."""
    key = uuid.uuid4()
    assert uuid_in(str(key)) == key
    assert [uuid_in(text) for text in (None, "", "x", f"{key}/../../time/5/deletion", "\x00", "²" * 32)] == [None] * 6


@pytest.mark.parametrize("text", ["", None, "x", "2026-02-30", "0001-01-05", "9999-12-27", "²026-01-01", "\x00"])
def test_a_day_that_has_no_weeks_around_it_is_no_day(text: str | None) -> None:
    """R50: a day in a URL is read as None if it is malformed or close to either end of the calendar (years 1 to 9999).

    So pages can compute the weeks around any day that was read.
    """
    assert day_in(text) is None
    assert day_in("2026-11-20") == date(2026, 11, 20)


@pytest.mark.parametrize("since", ["9" * 12, "9" * 40])
def test_no_instant_in_a_url_is_beyond_the_calendar(since: str) -> None:
    """R50: a `since` in a URL that is too large for any date is read as None."""
    assert Seen.read({"since": since}).since is None
    assert Seen.read({"since": "9" * 10}).since is not None


def test_a_cursor_of_time_with_a_number_too_large_leads_to_the_first_page() -> None:
    """R50: a keyset cursor whose id exceeds bigint is ignored, so the list shows its first page."""
    assert key("2026-11-29." + "9" * 40) is None
    assert key("2026-11-29.17") is not None
