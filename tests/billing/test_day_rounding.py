"""Test rounding by day: the minutes of a case, service, agent and day are added and rounded once (D4)."""

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.billing.simulate import simulate
from portal.durations import Rounding, RoundingMode
from tests.billing import books
from tests.billing.documents import a_contract, an_entry, extended

QUARTER = {"increment": 15, "per": "day"}


def outcome(rounding: dict[str, Any], entries: list[Any], steps: list[Any], **keys: Any) -> Any:
    service = {"name": "Desk", "settlement": "time_spent", "rollup": "none", "rounding": rounding} | keys
    return simulate(extended(contracts=[a_contract(service)], entries=entries, steps=steps))


def minutes_of(output: Any) -> dict[str, int]:
    return {id: sum(piece["minutes"] for piece in pieces) for id, pieces in output["allocations"].items()}


def replies(*minutes: int, **keys: Any) -> list[Any]:
    return [
        an_entry(f"e{number}", "2026-01-05", worked, created=f"2026-01-05T09:0{number}:00Z", **keys)
        for number, worked in enumerate(minutes, 1)
    ]


def test_four_short_replies_are_not_four_quarters_of_an_hour() -> None:
    """D4: 2 + 2 + 2 + 12 = 18 minutes round up to 30, and the difference of 12 minutes is added to the last entry.

    | entry | worked | counted |
    |-------|--------|---------|
    | e1    | 2      | 2       |
    | e2    | 2      | 2       |
    | e3    | 2      | 2       |
    | e4    | 12     | 24      |
    """
    output = outcome(QUARTER, replies(2, 2, 2, 12), [{"approve": ["e1", "e2", "e3", "e4"]}])
    assert minutes_of(output) == {"e1": 2, "e2": 2, "e3": 2, "e4": 24}


def test_each_case_agent_day_and_charge_is_rounded_by_itself() -> None:
    """Entries that differ in case, agent, day or kind of charge are not added up: each is rounded from 5 to 15 minutes."""
    entries = [
        an_entry("plain", "2026-01-05", 5),
        an_entry("case", "2026-01-05", 5, case="C1"),
        an_entry("agent", "2026-01-05", 5, agent="Max"),
        an_entry("day", "2026-01-06", 5),
        an_entry("free", "2026-01-05", 5, billing="no_charge"),
    ]
    output = outcome(QUARTER, entries, [{"approve": [entry["id"] for entry in entries]}])
    assert set(minutes_of(output).values()) == {15}


def test_the_difference_moves_to_the_last_approved_entry_and_drops_no_approval() -> None:
    """The rounding difference is added to the last approved entry: e2 at first, and e3 after the approval of e3.

    If the approval of e3 is withdrawn, the difference moves back to e2.
    """
    entries = replies(5, 5, 8)
    one = outcome(QUARTER, entries, [{"approve": ["e1", "e2"]}])
    assert minutes_of(one) == {"e1": 5, "e2": 10}
    two = outcome(QUARTER, entries, [{"approve": ["e1", "e2"]}, {"approve": ["e3"]}])
    assert minutes_of(two) == {"e1": 5, "e2": 5, "e3": 20}
    back = outcome(QUARTER, entries, [{"approve": ["e1", "e2", "e3"]}, {"withdraw": ["e3"]}])
    assert back["allocations"] == one["allocations"]


def test_an_entry_that_is_approved_after_the_others_were_settled_is_rounded_alone() -> None:
    """D4: an entry that is approved after others of its day were billed is rounded alone; the others do not change."""
    steps = [{"approve": ["e1", "e2"]}, {"bill": {"until": "2026-02-01"}}, {"approve": ["e3"]}]
    assert minutes_of(outcome(QUARTER, replies(5, 5, 2), steps)) == {"e1": 5, "e2": 10, "e3": 15}


def test_minutes_that_a_manager_set_are_not_rounded() -> None:
    entries = [*replies(5, 5), an_entry("set", "2026-01-05", 50, billable_minutes=7)]
    output = outcome(QUARTER, entries, [{"approve": ["e1", "e2", "set"]}])
    assert minutes_of(output) == {"e1": 5, "e2": 10, "set": 7}


def test_what_rounding_down_takes_away_comes_from_the_last_entries() -> None:
    """14 + 2 + 10 = 26 minutes round down to 15: the difference of 11 is taken from e3 (10) and then from e2 (1)."""
    output = outcome(QUARTER | {"mode": "down"}, replies(14, 2, 10), [{"approve": ["e1", "e2", "e3"]}])
    assert minutes_of(output) == {"e1": 14, "e2": 1, "e3": 0}


@given(
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from("AB"), st.integers(1, 40)), min_size=1, max_size=9),
    st.builds(Rounding, st.integers(0, 30), st.integers(1, 30), st.sampled_from(RoundingMode)),
    st.sets(st.integers(0, 8)),
)
@books.quick
@pytest.mark.slow
def test_rounding_by_day_agrees_with_rounding_each_sum(
    worked: list[tuple[int, str, int]], rule: Rounding, left_out: set[int]
) -> None:
    """The billable minutes of each day and case sum to the rounded sum of the worked minutes. No entry is below zero.

    If the sum is rounded up, only the last entry changes.
    """
    entries = [
        an_entry(f"e{number}", f"2026-01-0{day}", minutes, case=case, created=f"2026-01-05T09:0{number}:00Z")
        for number, (day, case, minutes) in enumerate(worked)
    ]
    approved = [entry for number, entry in enumerate(entries) if number not in left_out]
    rounding = {"minimum": rule.minimum, "increment": rule.increment, "mode": rule.mode, "per": "day"}
    found = minutes_of(outcome(rounding, entries, [{"approve": [entry["id"] for entry in approved]}]))
    groups: dict[Any, list[Any]] = defaultdict(list)
    for entry in approved:
        groups[entry["date"], entry["case"]].append(entry)
    for group in groups.values():
        counted = [found.get(entry["id"], 0) for entry in group]
        assert sum(counted) == rule.apply(sum(entry["actual_minutes"] for entry in group))
        assert min(counted) >= 0
        if sum(counted) >= sum(entry["actual_minutes"] for entry in group):
            assert counted[:-1] == [entry["actual_minutes"] for entry in group[:-1]]
