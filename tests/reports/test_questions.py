"""Test `Question`, the days and filters of a timesheet: how it is read from and written to a query string."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from portal.reports.questions import IDS, Kind, On, Question
from portal.words import EntryBilling, EntryState

TODAY = date(2026, 11, 20)
DAYS = st.dates(date(1990, 1, 1), date(2090, 1, 1))


def test_without_days_it_is_this_month_up_to_today() -> None:
    asked = Question.read({}, TODAY)
    assert (asked.since, asked.until, asked.kind, asked.is_narrowed) == (date(2026, 11, 1), TODAY, Kind.DESK, False)


def test_days_in_the_wrong_order_are_put_right() -> None:
    asked = Question.read({"from": "2026-11-20", "until": "2026-11-01"}, TODAY)
    assert (asked.since, asked.until) == (date(2026, 11, 1), TODAY)


@given(st.dictionaries(st.sampled_from([*IDS, "from", "until", "kind", "on", "state", "billing", "flag"]), st.text()))
def test_nonsense_counts_as_missing(query: dict[str, str]) -> None:
    asked = Question.read(query, TODAY)
    assert asked.since <= asked.until


@given(
    st.builds(
        Question,
        since=DAYS, until=DAYS, kind=st.sampled_from(Kind), on=st.none() | st.sampled_from(On),
        billing=st.none() | st.sampled_from(EntryBilling), state=st.none() | st.sampled_from(EntryState), flagged=st.booleans(),
        **dict.fromkeys(IDS, st.none() | st.integers(1, 10**18 - 1)),
    ).filter(lambda asked: asked.since <= asked.until)
)  # fmt: skip
def test_what_is_written_is_read_as_the_same(asked: Question) -> None:
    """A `Question` that is written to a query string and read again stays the same.

    The job that writes a timesheet file depends on this, because it reads the query string of the page on which the
    file was ordered.
    """
    assert Question.read(asked.values, TODAY) == asked
