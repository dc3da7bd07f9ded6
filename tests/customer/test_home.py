"""Test the greeting on the first page of contacts."""

from datetime import UTC, datetime

import pytest

from portal.customer.home import greeting
from portal.web.gate import Gate
from tests.browser import Browser
from tests.world import ADA

WORDS = {
    0: "Hello", 1: "Hello", 4: "Hello", 5: "Good morning", 11: "Good morning", 12: "Good afternoon", 17: "Good afternoon",
    18: "Good evening", 23: "Good evening",
}  # fmt: skip
"""The greeting, by hour: the first and the last hour of each part of the day."""


@pytest.mark.parametrize("hour", WORDS)
def test_people_are_greeted_by_the_hour_and_at_night_by_none(hour: int) -> None:
    assert greeting(hour) == WORDS[hour]


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (datetime(2026, 11, 30, 0, 27, tzinfo=UTC), "Hello, Ada."),
        (datetime(2026, 11, 30, 4, 0, tzinfo=UTC), "Good morning, Ada."),
        (datetime(2026, 7, 1, 3, 0, tzinfo=UTC), "Good morning, Ada."),
    ],
)
async def test_the_hour_is_that_of_the_readers_time_zone(app: Gate, at: datetime, words: str) -> None:
    """The greeting follows the clock of Ada's time zone, Berlin: an hour ahead of UTC in winter, and two in summer."""
    app.clock = lambda: at
    async with await Browser.of(app, ADA, at=at) as browser:
        assert words in (await browser.get("/")).text
