"""Test prices that change from a date, included minutes that services share, and fixed fees of tasks."""

from typing import Any

from portal.billing.simulate import simulate
from tests.billing.documents import a_contract, a_plan, an_entry, extended, paid_by


def outcome(services: list[Any], entries: list[Any], steps: list[Any], **keys: Any) -> Any:
    return simulate(extended(contracts=[a_contract(*services)], entries=entries, steps=steps, **keys))


def test_the_fee_at_the_start_of_the_active_days_holds_for_the_period() -> None:
    """The fee rises from 100.00 to 120.00 on 15 February, so February still costs 100.00 and March 120.00."""
    plan = a_plan(changes=[{"from": "2026-02-15", "fee": "120.00"}])
    output = outcome([plan], [], [{"bill": {"until": "2026-03-01"}}])
    assert [line["net"] for line in output["invoices"][0]["lines"]] == ["100.00", "100.00", "120.00"]


def test_a_service_that_starts_within_a_period_has_the_prices_of_its_first_day() -> None:
    """The service starts on 17 January, after the price change of the 10th: 15 of 31 days of 120.00 are 58.06."""
    plan = a_plan(effective_start="2026-01-17", changes=[{"from": "2026-01-10", "fee": "120.00"}])
    output = outcome([plan], [], [{"bill": {"until": "2026-01-17"}}])
    assert [line["net"] for line in output["invoices"][0]["lines"]] == ["58.06"]


def test_included_minutes_change_with_the_first_period_that_begins_after_the_date() -> None:
    """With a change to 90 included minutes from 10 February, March has 90 and February still has 60."""
    plan = a_plan(changes=[{"from": "2026-02-10", "included_minutes": 90}])
    entries = [an_entry("feb", "2026-02-20", 100), an_entry("mar", "2026-03-20", 100)]
    output = outcome([plan], entries, [{"approve": ["feb", "mar"]}])
    assert paid_by(output, "feb") == [("included", 60, "2026-02-01"), ("charged", 40, None)]
    assert paid_by(output, "mar") == [("included", 90, "2026-03-01"), ("charged", 10, None)]


def test_the_overage_rate_is_that_of_the_day_worked() -> None:
    """A new overage rate applies from its date on, even in the middle of a period, as every hourly rate does.

    | entry  | beyond the 60 minutes | rate   | amount |
    |--------|-----------------------|--------|--------|
    | 9 Jan  | 30                    | 90.00  | 45.00  |
    | 10 Jan | 30                    | 100.00 | 50.00  |
    """
    plan = a_plan(overage_rate="90.00", changes=[{"from": "2026-01-10", "overage_rate": "100.00"}])
    entries = [an_entry("a", "2026-01-09", 90), an_entry("b", "2026-01-10", 30)]
    output = outcome([plan], entries, [{"approve": ["a", "b"]}])
    charged = [output["allocations"]["a"][-1], output["allocations"]["b"][-1]]
    assert [(piece["hourly_rate"], piece["amount"]) for piece in charged] == [("90.00", "45.00"), ("100.00", "50.00")]


def test_what_a_change_does_not_name_stays_and_the_order_of_the_list_does_not_matter() -> None:
    later = {"from": "2026-03-01", "included_minutes": 10}
    plan = a_plan(changes=[later, {"from": "2026-02-01", "fee": "50.00"}])
    entries = [an_entry("a", "2026-03-05", 20)]
    output = outcome([plan], entries, [{"approve": ["a"]}, {"bill": {"until": "2026-03-02"}}])
    assert [line["net"] for line in output["invoices"][0]["lines"]] == ["100.00", "50.00", "50.00"]
    assert paid_by(output, "a") == [("included", 10, "2026-03-01"), ("charged", 10, None)]


REMOTE = {"name": "Remote", "settlement": "voucher", "rollup": "none", "overflow": "bill", "included_from": "Desk"}


def test_services_that_share_included_minutes_draw_them_in_the_order_of_days() -> None:
    """Desk includes 60 minutes in January; time under Desk and time under Remote draw from them in the order of days.

    | entry          | minutes | included | charged |
    |----------------|---------|----------|---------|
    | 5 Jan, Remote  | 40      | 40       |         |
    | 6 Jan, Desk    | 30      | 20       | 10      |
    | 7 Jan, Remote  | 15      |          | 15      |
    """
    entries = [
        an_entry("a", "2026-01-05", 40, service="Remote"),
        an_entry("b", "2026-01-06", 30),
        an_entry("c", "2026-01-07", 15, service="Remote"),
    ]
    output = outcome([a_plan(), REMOTE], entries, [{"approve": ["a", "b", "c"]}])
    assert paid_by(output, "a") == [("included", 40, "2026-01-01")]
    assert paid_by(output, "b") == [("included", 20, "2026-01-01"), ("charged", 10, None)]
    assert paid_by(output, "c") == [("charged", 15, None)]


def test_a_subscription_draws_its_own_minutes_before_those_that_it_shares() -> None:
    second = a_plan(name="Remote", included_minutes=10, included_from="Desk")
    output = outcome([a_plan(), second], [an_entry("a", "2026-01-05", 100, service="Remote")], [{"approve": ["a"]}])
    assert paid_by(output, "a") == [
        ("included", 10, "2026-01-01"),
        ("included", 60, "2026-01-01"),
        ("charged", 30, None),
    ]


def test_shared_minutes_are_there_only_while_their_subscription_is_active() -> None:
    """Remote draws Desk's minutes only from 10 January on, when Desk starts; Alone, which does not share, draws none (D28)."""
    entries = [
        an_entry("before", "2026-01-09", 20, service="Remote"),
        an_entry("after", "2026-01-10", 20, service="Remote"),
        an_entry("alone", "2026-01-11", 20, service="Alone"),
    ]
    services = [a_plan(effective_start="2026-01-10"), REMOTE, REMOTE | {"name": "Alone", "included_from": None}]
    output = outcome(services, entries, [{"approve": ["before", "after", "alone"]}])
    assert [paid_by(output, id)[0][0] for id in ("before", "after", "alone")] == ["charged", "included", "charged"]


TRAVEL = [{"name": "Travel", "fixed_fee": "50.00"}, {"name": "Repair"}]


def test_a_task_with_a_fixed_fee_is_one_charged_piece_and_draws_nothing() -> None:
    """A trip with a fee of 50.00 needs no rate and draws no included minutes; a repair of 20 minutes draws 20."""
    entries = [an_entry("trip", "2026-01-05", 30, task="Travel"), an_entry("fix", "2026-01-05", 20, task="Repair")]
    output = outcome([a_plan(tasks=TRAVEL)], entries, [{"approve": ["trip", "fix"]}, {"bill": {"until": "2026-02-01"}}])
    assert output["allocations"]["trip"] == [
        {"kind": "charged", "minutes": 30, "source": None, "hourly_rate": None, "rate_source": None, "amount": "50.00"}
    ]
    assert paid_by(output, "fix") == [("included", 20, "2026-01-01")]
    line = output["invoices"][0]["lines"][-1]
    assert (line["minutes"], line["unit_price"], line["net"], line["entries"]) == (30, None, "50.00", ["trip"])


def test_a_fixed_fee_needs_no_rate_is_never_held_and_is_charged_for_no_minutes_too() -> None:
    plan = a_plan(tasks=TRAVEL, overflow="hold", included_minutes=0)
    entries = [
        an_entry("trip", "2026-01-05", 30, task="Travel"),
        an_entry("none", "2026-01-05", 30, task="Travel", billable_minutes=0),
        an_entry("free", "2026-01-05", 30, task="Travel", billing="no_charge"),
    ]
    output = outcome([plan], entries, [{"approve": ["trip", "none", "free"]}], rates=[])
    assert output["refused"] == []
    found = {
        id: [(piece["kind"], piece["amount"]) for piece in output["allocations"][id]] for id in output["allocations"]
    }
    assert found == {"trip": [("charged", "50.00")], "none": [("charged", "50.00")], "free": [("no_charge", "0.00")]}
