"""The ranges of days that reports offer with one click."""

from datetime import date, timedelta
from typing import NamedTuple


class Range(NamedTuple):
    """A named range of days from `since` to `until`, both included."""

    name: str
    since: date
    until: date


def ranges_at(today: date) -> list[Range]:
    """Return this week, last week, this month and last month. A week or month that is not over ends at `today`."""
    monday, first = today - timedelta(days=today.weekday()), today.replace(day=1)
    before = first - timedelta(days=1)
    return [
        Range("This week", monday, today),
        Range("Last week", monday - timedelta(days=7), monday - timedelta(days=1)),
        Range("This month", first, today),
        Range("Last month", before.replace(day=1), before),
    ]


def long_ranges_at(today: date) -> list[Range]:
    """Return this month, last month, this year and last year. A month or year that is not over ends at `today`."""
    year = today.replace(month=1, day=1)
    before = year - timedelta(days=1)
    return [
        *ranges_at(today)[2:],
        Range("This year", year, today),
        Range("Last year", before.replace(month=1, day=1), before),
    ]
