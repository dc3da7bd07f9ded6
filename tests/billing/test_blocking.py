"""Test the overflow `block`: the approval of time beyond the prepaid minutes is refused, unless a manager releases it.

To release an entry is to decide that its minutes beyond the prepaid ones are charged.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.billing.simulate import simulate
from tests.billing import books
from tests.billing.documents import a_contract, a_plan, an_entry, extended, paid_by

PLAN = a_plan(overflow="block")


def outcome(entries: list[Any], steps: list[Any], **keys: Any) -> Any:
    return simulate(extended(**({"contracts": [a_contract(PLAN)]} | keys), entries=entries, steps=steps))


def refused(output: Any) -> list[tuple[int, str, str]]:
    return [(row["step"], row["entry"], row["reason"]) for row in output["refused"]]


def test_an_entry_that_would_exceed_is_refused_as_a_whole() -> None:
    """C8, D24: once 40 of 60 prepaid minutes are used, an entry of 30 minutes is refused, and one of 20 is approved.

    | step        | left before | entry | outcome            |
    |-------------|-------------|-------|--------------------|
    | approve a   | 60          | 40    | approved, 20 left  |
    | approve b   | 20          | 30    | `beyond_prepaid`   |
    | approve c   | 20          | 20    | approved, 0 left   |
    """
    entries = [an_entry("a", "2026-01-05", 40), an_entry("b", "2026-01-06", 30), an_entry("c", "2026-01-07", 20)]
    output = outcome(entries, [{"approve": ["a"]}, {"approve": ["b", "c"]}, {"bill": {"until": "2026-02-01"}}])
    assert refused(output) == [(1, "b", "beyond_prepaid")]
    assert paid_by(output, "a") + paid_by(output, "c") == [
        ("included", 40, "2026-01-01"),
        ("included", 20, "2026-01-01"),
    ]
    assert output["skipped"] == [{"until": "2026-02-01", "entry": "b", "reason": "not_approved"}]


def test_entries_of_one_step_compete_in_the_order_of_their_days() -> None:
    """The entries of a step get prepaid minutes in the order of their days, whatever their order in the step's list.

    A refused entry does not affect the entries after it.
    """
    entries = [an_entry("a", "2026-01-07", 40), an_entry("b", "2026-01-05", 40), an_entry("c", "2026-01-06", 20)]
    for ids in (["a", "b", "c"], ["c", "b", "a"]):
        assert refused(outcome(entries, [{"approve": ids}])) == [(0, "a", "beyond_prepaid")]


def test_an_approved_entry_keeps_its_cover_from_an_earlier_day() -> None:
    """An approved entry keeps its prepaid minutes when a manager then tries to approve an entry of an earlier day.

    The second approval is refused, because no prepaid minutes are left.
    """
    entries = [an_entry("late", "2026-01-20", 60), an_entry("early", "2026-01-05", 10)]
    output = outcome(entries, [{"approve": ["late"]}, {"approve": ["early"]}])
    assert refused(output) == [(1, "early", "beyond_prepaid")]
    assert paid_by(output, "late") == [("included", 60, "2026-01-01")]


def test_a_withdrawal_frees_the_minutes_for_another_approval() -> None:
    """C8: withdrawing an approval frees its minutes, so that an entry that was refused can be approved."""
    entries = [an_entry("a", "2026-01-05", 60), an_entry("b", "2026-01-06", 60)]
    output = outcome(entries, [{"approve": ["a", "b"]}, {"withdraw": ["a"]}, {"approve": ["b"]}])
    assert refused(output) == [(0, "b", "beyond_prepaid")]
    assert paid_by(output, "b") == [("included", 60, "2026-01-01")]


def test_a_released_entry_is_approved_and_its_rest_is_charged() -> None:
    """If an entry is released before its approval, the approval charges the minutes beyond the prepaid ones, as with `hold`."""
    output = outcome([an_entry("a", "2026-01-05", 90)], [{"release": ["a"]}, {"approve": ["a"]}])
    assert refused(output) == []
    assert paid_by(output, "a") == [("included", 60, "2026-01-01"), ("charged", 30, None)]


def test_the_other_reasons_come_first() -> None:
    """An entry without a rate is refused for the missing rate, even if its time would exceed the prepaid minutes too."""
    assert refused(outcome([an_entry("a", "2026-01-05", 90)], [{"approve": ["a"]}], rates=[])) == [(0, "a", "no_rate")]


def test_what_draws_nothing_is_never_blocked() -> None:
    entries = [
        an_entry("a", "2026-01-05", 90, billing="no_charge"),
        an_entry("b", "2026-01-05", 90, billing="not_billable"),
        an_entry("c", "2026-01-05", 90, billable_minutes=0),
    ]
    assert refused(outcome(entries, [{"approve": ["a", "b", "c"]}])) == []


def test_no_approval_takes_a_voucher_from_an_entry_that_needs_it() -> None:
    """Approving `early` is refused, because it would draw the included minutes that the approved entry `late` needs.

    `late` (20 January) drew the 60 included minutes, and no voucher is valid for it. `early` (10 January) would draw the
    included minutes first and leave `late` without cover, although a voucher that ends on 15 January has 60 minutes.
    """
    voucher = {
        "id": "V", "services": ["Desk"], "minutes": 60, "price": "1", "sold": "2026-01-01", "valid_from": "2026-01-01",
        "valid_until": "2026-01-15",
    }  # fmt: skip
    entries = [an_entry("late", "2026-01-20", 60), an_entry("early", "2026-01-10", 60)]
    output = outcome(entries, [{"approve": ["late"]}, {"approve": ["early"]}], vouchers=[voucher])
    assert refused(output) == [(1, "early", "beyond_prepaid")]


def test_no_approval_takes_rolled_minutes_from_an_entry_that_needs_them() -> None:
    """February's entry of 90 minutes needs 30 that roll over from January, so only 30 are left for late approvals in January.

    The columns are the minutes that January would have left after the approval, the minutes that would roll over into
    February, and February's own minutes.

    | approve     | January | rolls over | February | outcome          |
    |-------------|---------|------------|----------|------------------|
    | feb (90)    | 60      | 60         | 60       | approved         |
    | a (20)      | 40      | 40         | 60       | approved         |
    | b (20)      | 20      | 20         | 60       | `beyond_prepaid` |
    | c (10)      | 30      | 30         | 60       | approved         |
    """
    plan = PLAN | {"rollover": {"periods": 1}}
    entries = [an_entry(id, "2026-01-05", minutes) for id, minutes in (("a", 20), ("b", 20), ("c", 10))]
    entries.append(an_entry("feb", "2026-02-05", 90))
    steps = [{"approve": ["feb"]}, {"approve": ["a", "b", "c"]}]
    output = outcome(entries, steps, contracts=[a_contract(plan)])
    assert refused(output) == [(1, "b", "beyond_prepaid")]
    assert paid_by(output, "feb") == [("included", 30, "2026-01-01"), ("included", 60, "2026-02-01")]


@given(st.lists(st.tuples(st.integers(1, 28), st.integers(1, 40)), min_size=1, max_size=8), st.data())
@books.quick
@pytest.mark.slow
def test_nothing_beyond_the_prepaid_minutes_is_ever_approved(
    worked: list[tuple[int, int]], data: st.DataObject
) -> None:
    """In any order of approvals, prepaid minutes cover each approved entry and would not cover a refused one."""
    entries = [an_entry(f"e{n}", f"2026-01-{day:02}", minutes) for n, (day, minutes) in enumerate(worked)]
    order = data.draw(st.permutations([entry["id"] for entry in entries]))
    output = outcome(entries, [{"approve": [id]} for id in order])
    kinds = {piece["kind"] for pieces in output["allocations"].values() for piece in pieces}
    used, minutes = 0, {entry["id"]: entry["actual_minutes"] for entry in entries}
    expected = []
    for id in order:
        if used + minutes[id] > 60:
            expected.append(id)
        else:
            used += minutes[id]
    assert kinds <= {"included"}
    assert [row["entry"] for row in output["refused"]] == expected
