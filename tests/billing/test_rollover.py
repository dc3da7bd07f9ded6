"""Test that unused included minutes roll on into later periods (D26)."""

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.billing.simulate import simulate
from tests.billing import books
from tests.billing.documents import a_contract, a_plan, an_entry, extended, paid_by

JANUARY, FEBRUARY, MARCH, APRIL = (f"2026-{month:02}-01" for month in (1, 2, 3, 4))


def outcome(rollover: dict[str, Any], entries: list[Any], steps: list[Any], **keys: Any) -> Any:
    contract = a_contract(a_plan(rollover=rollover, **keys))
    return simulate(extended(contracts=[contract], entries=entries, steps=steps))


def rolled(output: Any) -> list[tuple[str, str, int]]:
    return [(row["period"], row["source"], row["minutes"]) for row in output["rolled"]]


def test_rolled_minutes_are_drawn_before_the_periods_own() -> None:
    """D26: 60 minutes a month are included, and unused ones roll on for one period.

    | entry    | minutes | of January | of February | charged |
    |----------|---------|------------|-------------|---------|
    | 5 Jan    | 20      | 20         |             |         |
    | 5 Feb    | 50      | 40         | 10          |         |
    | 6 Feb    | 70      |            | 50          | 20      |
    """
    entries = [an_entry("a", "2026-01-05", 20), an_entry("b", "2026-02-05", 50), an_entry("c", "2026-02-06", 70)]
    output = outcome({"periods": 1}, entries, [{"approve": ["a", "b", "c"]}])
    assert paid_by(output, "a") == [("included", 20, JANUARY)]
    assert paid_by(output, "b") == [("included", 40, JANUARY), ("included", 10, FEBRUARY)]
    assert paid_by(output, "c") == [("included", 50, FEBRUARY), ("charged", 20, None)]


def test_minutes_roll_on_for_the_agreed_number_of_periods() -> None:
    """After three months without work, an entry in April draws what rolled on, the oldest minutes first.

    | periods | rolled on into April                  | charged of 200 minutes           |
    |---------|---------------------------------------|----------------------------------|
    | 1       | 60 of March                           | 200 - 60 - 60 of April = 80      |
    | 2       | 60 of February, 60 of March           | 200 - 120 - 60 of April = 20     |
    | 3       | 60 each of January, February, March   | 200 - 180 - 20 of April = 0      |
    """
    for periods, charged in ((1, 80), (2, 20), (3, 0)):
        output = outcome({"periods": periods}, [an_entry("a", "2026-04-05", 200)], [{"approve": ["a"]}])
        origins = [source for kind, _, source in paid_by(output, "a") if kind == "included"]
        assert origins == [JANUARY, FEBRUARY, MARCH, APRIL][3 - periods :]
        assert sum(minutes for kind, minutes, _ in paid_by(output, "a") if kind == "charged") == charged


def test_nothing_rolls_on_from_before_the_first_day() -> None:
    """If the rollover begins on 10 February, February's minutes roll into March, but January's minutes into no month."""
    output = outcome({"periods": 2, "from": "2026-02-10"}, [an_entry("a", "2026-03-05", 160)], [{"approve": ["a"]}])
    assert paid_by(output, "a") == [("included", 60, FEBRUARY), ("included", 60, MARCH), ("charged", 40, None)]


def test_the_last_period_of_a_contract_is_never_closed() -> None:
    """D26, D32: the contract ends with January, so nothing rolls on; a late approval draws the 40 minutes left."""
    contract = a_contract(a_plan(rollover={"periods": 1}), end="2026-02-01")
    entries = [an_entry("a", "2026-01-05", 20), an_entry("b", "2026-01-06", 40)]
    steps = [{"approve": ["a"]}, {"bill": {"until": "2026-02-01"}}, {"approve": ["b"]}]
    output = simulate(extended(contracts=[contract], entries=entries, steps=steps))
    assert rolled(output) == []
    assert paid_by(output, "b") == [("included", 40, JANUARY)]


def test_the_cap_limits_what_rolls_on_in_all_and_leaves_the_oldest_behind() -> None:
    """With a cap of 90, February's 60 minutes and only 30 of January's 60 roll into March."""
    output = outcome({"periods": 2, "cap": 90}, [an_entry("a", "2026-03-05", 160)], [{"approve": ["a"]}])
    assert paid_by(output, "a") == [
        ("included", 30, JANUARY),
        ("included", 60, FEBRUARY),
        ("included", 60, MARCH),
        ("charged", 10, None),
    ]


def test_a_late_approval_finds_only_what_was_not_rolled_on() -> None:
    """The run of 1 February closes January: of its 60 minutes, 20 are used, 25 roll on (the cap), and 15 stay.

    | entry                     | minutes | of January | charged |
    |---------------------------|---------|------------|---------|
    | 5 Jan, before the run     | 20      | 20         |         |
    | 6 Jan, approved after it  | 30      | 15         | 15      |
    | 5 Feb                     | 30      | 25         |         |
    """
    entries = [an_entry("a", "2026-01-05", 20), an_entry("late", "2026-01-06", 30), an_entry("b", "2026-02-05", 30)]
    steps = [{"approve": ["a"]}, {"bill": {"until": FEBRUARY}}, {"approve": ["late", "b"]}]
    output = outcome({"periods": 1, "cap": 25}, entries, steps)
    assert rolled(output) == [(FEBRUARY, JANUARY, 25)]
    assert paid_by(output, "late") == [("included", 15, JANUARY), ("charged", 15, None)]
    assert paid_by(output, "b") == [("included", 25, JANUARY), ("included", 5, FEBRUARY)]


def test_before_a_run_closes_the_period_a_late_approval_takes_its_minutes_back() -> None:
    """Before a run closes January, a late approval of work in January takes back minutes that had rolled into February.

    D21.
    """
    entries = [an_entry("late", "2026-01-06", 60), an_entry("b", "2026-02-05", 60)]
    output = outcome({"periods": 1}, entries, [{"approve": ["b"]}, {"approve": ["late"]}])
    assert paid_by(output, "late") == [("included", 60, JANUARY)]
    assert paid_by(output, "b") == [("included", 60, FEBRUARY)]


def test_only_the_minutes_of_the_active_days_roll_on() -> None:
    """The service starts on 17 January: 15 of 31 days are active, so 60 * 15 / 31 = 29 minutes roll on."""
    output = outcome({"periods": 1}, [], [{"bill": {"until": FEBRUARY}}], effective_start="2026-01-17")
    assert rolled(output) == [(FEBRUARY, JANUARY, 29)]


def reference(worked: list[tuple[int, int]], periods: int, cap: int | None) -> dict[int, int]:
    """Return the charged minutes of each entry by a simple model: each included minute is a token of its month."""
    purse: deque[int] = deque()
    charged: dict[int, int] = {}
    for month in range(6):
        purse = deque(coin for coin in purse if coin + periods >= month)
        while cap is not None and len(purse) > cap:
            purse.popleft()
        purse.extend([month] * 60)
        for number, (of_month, minutes) in enumerate(worked):
            if of_month == month:
                drawn = min(minutes, len(purse))
                for _ in range(drawn):
                    purse.popleft()
                charged[number] = minutes - drawn
    return charged


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 150)), max_size=8),
    st.integers(1, 4),
    st.none() | st.integers(0, 150),
    st.sets(st.integers(1, 6)),
)
@books.quick
@pytest.mark.slow
def test_rollover_agrees_with_counting_single_minutes(
    worked: list[tuple[int, int]], periods: int, cap: int | None, runs: set[int]
) -> None:
    """The engine charges the same minutes as `reference`, whether periods are billed in one run or in several."""
    entries = [
        an_entry(f"e{number}", f"2026-{month + 1:02}-{number + 1:02}", minutes)
        for number, (month, minutes) in enumerate(worked)
    ]
    steps: list[Any] = [{"approve": [entry["id"] for entry in entries]}]
    steps += [{"bill": {"until": f"2026-{month + 1:02}-01"}} for month in sorted(runs)]
    output = outcome({"periods": periods, "cap": cap}, entries, steps)
    found = {
        number: sum(minutes for kind, minutes, _ in paid_by(output, f"e{number}") if kind == "charged")
        for number in range(len(worked))
    }
    assert found == reference(worked, periods, cap)
