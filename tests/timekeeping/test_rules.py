"""Test the rules for time entries, which are functions that do not use the database."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.durations import Rounding, RoundingMode
from portal.errors import Invalid
from portal.timekeeping.filters import key
from portal.timekeeping.rules import counted, latest_work_date, why_fixed, why_not_on
from portal.words import EntryBilling, EntryState
from tests.world import INES, MAX, NOOR

CREATED = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
minutes_of_a_day = st.integers(1, 1440)
roundings = st.builds(Rounding, st.integers(0, 120), st.integers(1, 90), st.sampled_from(RoundingMode))


@given(minutes_of_a_day, roundings, st.sampled_from([EntryBilling.BILLABLE, EntryBilling.NO_CHARGE]))
def test_what_counts_follows_from_the_rounding_of_the_service(
    minutes: int, rounding: Rounding, billing: EntryBilling
) -> None:
    """D4: the billable minutes are the minutes worked, rounded by the service's rule."""
    assert counted(minutes, billing, rounding).minutes == rounding.apply(minutes)
    assert counted(minutes, billing, rounding).override_reason is None


@given(minutes_of_a_day, roundings)
def test_nothing_of_not_billable_time_counts(minutes: int, rounding: Rounding) -> None:
    assert counted(minutes, EntryBilling.NOT_BILLABLE, rounding, override=30, reason="because").minutes == 0


@given(minutes_of_a_day, roundings, st.integers(0, 2880))
def test_a_figure_of_its_own_needs_a_reason(minutes: int, rounding: Rounding, override: int) -> None:
    """D8: an override of the billable minutes that differs from the rule's result is refused without a reason."""
    if override == rounding.apply(minutes):
        assert counted(minutes, EntryBilling.BILLABLE, rounding, override).override_reason is None
        return
    with pytest.raises(Invalid, match="Say why it counts"):
        counted(minutes, EntryBilling.BILLABLE, rounding, override, " ")
    counting = counted(minutes, EntryBilling.BILLABLE, rounding, override, " agreed by phone ")
    assert (counting.minutes, counting.override_reason) == (override, "agreed by phone")


@pytest.mark.parametrize("override", [-1, 2881])
def test_a_figure_of_its_own_stays_within_two_days(override: int) -> None:
    with pytest.raises(Invalid, match="at most 48"):
        counted(60, EntryBilling.BILLABLE, Rounding(), override, "because")


@pytest.mark.parametrize(
    ("passed", "refused"),
    [
        (timedelta(0), False),
        (timedelta(hours=23, minutes=59, seconds=59), False),
        (timedelta(hours=24), False),
        (timedelta(hours=24, seconds=1), True),
    ],
)
def test_authors_have_24_real_hours(passed: timedelta, refused: bool) -> None:
    """S2.21-S2.23, D15: authors may change their entry for 24 elapsed hours and no longer."""
    for state in (EntryState.DRAFT, EntryState.REJECTED):
        assert (why_fixed(INES, INES.id, state, CREATED, CREATED + passed) is not None) is refused


def test_daylight_saving_does_not_move_the_window() -> None:
    """D15: the 24 hours are elapsed hours even on 2026-10-25, a day of 25 hours in Berlin."""
    created = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)
    assert why_fixed(INES, INES.id, EntryState.DRAFT, created, created + timedelta(hours=24)) is None
    assert why_fixed(INES, INES.id, EntryState.DRAFT, created, created + timedelta(hours=24, seconds=1)) is not None


@pytest.mark.parametrize("state", [EntryState.SUBMITTED, EntryState.APPROVED])
def test_submission_and_approval_end_the_authors_window(state: EntryState) -> None:
    """C5: authors cannot change their entry once it is submitted or approved."""
    assert state.value in str(why_fixed(INES, INES.id, state, CREATED, CREATED))


@pytest.mark.parametrize("state", EntryState)
def test_an_agent_never_changes_a_colleagues_time(state: EntryState) -> None:
    """S2.24: an agent cannot change another agent's entry in any state."""
    assert why_fixed(INES, MAX.id, state, CREATED, CREATED) == "Only a manager may change a colleague's time."


@pytest.mark.parametrize("state", EntryState)
@pytest.mark.parametrize("manager", [MAX, NOOR])
def test_managers_and_admins_may_change_any_time_at_any_time(manager: object, state: EntryState) -> None:
    """S2.25: managers and admins may change another agent's entry in every state, even 300 days after it was logged."""
    assert why_fixed(manager, INES.id, state, CREATED, CREATED + timedelta(days=300)) is None  # type: ignore[arg-type]


def test_the_future_begins_after_the_later_of_both_todays() -> None:
    late = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    assert latest_work_date(late, "Europe/London", "Europe/Berlin") == date(2026, 11, 21)
    assert latest_work_date(late, "America/New_York", "Europe/London") == date(2026, 11, 20)
    assert latest_work_date(late, "Pacific/Auckland", "America/New_York") == date(2026, 11, 21)


@pytest.mark.parametrize(
    ("day", "latest", "word"),
    [
        (date(2026, 11, 20), date(2026, 11, 20), None),
        (date(2026, 11, 21), date(2026, 11, 20), "still to come"),
        (date(2025, 11, 20), date(2026, 11, 20), None),
        (date(2025, 11, 19), date(2026, 11, 20), "a year back"),
        (date(2027, 2, 28), date(2028, 2, 29), None),
        (date(2027, 2, 27), date(2028, 2, 29), "a year back"),
    ],
)
def test_time_is_logged_up_to_today_and_a_year_back(day: date, latest: date, word: str | None) -> None:
    sentence = why_not_on(day, latest)
    assert sentence is None if word is None else word in str(sentence)


@pytest.mark.parametrize("text", ["", "2026-11-20", "2026-11-20.x", "2026-13-20.4", "2026-11-20.4.5", "2026-11-20.-4"])
def test_a_key_that_is_none_shows_the_first_page(text: str) -> None:
    assert key(text) is None


def test_a_key_names_a_day_and_an_entry() -> None:
    assert key("2026-11-20.4") == (date(2026, 11, 20), 4)
