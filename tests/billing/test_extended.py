"""Test the keys of extended documents: they are unknown without `"extended": true`, and errors in them are reported."""

from typing import Any

import pytest

from portal.billing.simulate import BadDocument, simulate
from tests.billing.documents import a_contract, a_plan, an_entry, changed, document, extended

S0, P0 = "contracts.0.services.0", "contracts[0].services[0]"


def first_error(of: object) -> str:
    with pytest.raises(BadDocument) as refusal:
        simulate(of)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("where", "value", "path"),
    [
        ("schedules", [], "schedules"),
        ("schedules", None, "schedules"),
        ("cash_rounding", "0.05", "cash_rounding"),
        ("steps.0", {"credit": {"invoice": 0}}, "steps[0].credit"),
        ("steps.0", {"end": {}}, "steps[0].end"),
        (f"{S0}.changes", [], f"{P0}.changes"),
        (f"{S0}.rollover", {"periods": 1}, f"{P0}.rollover"),
        (f"{S0}.included_from", "Desk", f"{P0}.included_from"),
        (f"{S0}.tasks", None, f"{P0}.tasks"),
        (f"{S0}.schedule", "Evenings", f"{P0}.schedule"),
        (f"{S0}.rounding.per", "day", f"{P0}.rounding.per"),
        ("entries.0.case", "C1", "entries[0].case"),
        ("entries.0.task", "Travel", "entries[0].task"),
        ("entries.0.started", "2026-01-05T10:00:00Z", "entries[0].started"),
    ],
)
@pytest.mark.parametrize("switch", [None, False])
def test_a_key_of_extended_documents_is_unknown_without_the_switch(
    where: str, value: Any, path: str, switch: bool | None
) -> None:
    """In a plain document, a key of extended documents is refused as an unknown key, whatever its value."""
    assert first_error(changed((where, value), ("extended", switch))) == f"{path}: unknown key"


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (f"{S0}.overflow", "block", f"{P0}.overflow: not one of bill, hold"),
        ("contracts.0.cycle", "weekly", "contracts[0].cycle: not one of monthly, quarterly, yearly"),
        ("contracts.0.cycle", "half_yearly", "contracts[0].cycle: not one of monthly, quarterly, yearly"),
        ("contracts.0.anchor", "2026-01-29", "contracts[0].anchor: its day is above 28"),
        ("vouchers.0.valid_until", None, "vouchers[0].valid_until: missing"),
        ("extended", "yes", "extended: not true or false"),
    ],
)
def test_a_value_of_extended_documents_is_refused_without_the_switch(where: str, value: Any, message: str) -> None:
    assert first_error(changed((where, value))) == message


def test_the_switch_alone_changes_no_result() -> None:
    """An extended document without extended keys gives the same result as the plain one, except for added output keys."""
    plain = simulate(document())
    more = simulate(document() | {"extended": True})
    assert {key: more[key] for key in plain} == plain


def test_amounts_of_a_plain_document_have_two_decimals_in_every_currency() -> None:
    yen = simulate(changed(("currency", "JPY")))
    assert yen == simulate(document())


TIME = {"name": "Desk", "settlement": "time_spent", "rollup": "none"}
VOUCHER_ONLY = {"name": "Desk", "settlement": "voucher", "rollup": "none", "overflow": "bill"}
CHANGE = {"from": "2026-02-01", "overage_rate": "1"}


@pytest.mark.parametrize(
    ("service", "message"),
    [
        (TIME | {"changes": [CHANGE]}, f"{P0}.changes: not for the settlement time_spent"),
        (TIME | {"rollover": {"periods": 1}}, f"{P0}.rollover: not for the settlement time_spent"),
        (TIME | {"included_from": "Desk"}, f"{P0}.included_from: not for the settlement time_spent"),
        (VOUCHER_ONLY | {"rollover": {"periods": 1}}, f"{P0}.rollover: not for the settlement voucher"),
        (VOUCHER_ONLY | {"changes": [CHANGE | {"fee": "1"}]}, f"{P0}.changes[0].fee: unknown key"),
        (VOUCHER_ONLY | {"included_from": "Disk"}, f"{P0}.included_from: not a service of this contract"),
        (a_plan(included_from="Desk"), f"{P0}.included_from: not another service with the settlement subscription"),
        (a_plan(changes=[CHANGE, CHANGE]), f"{P0}.changes[1].from: a second change from this day"),
        (a_plan(changes=[{"from": "2026-02-01"}]), f"{P0}.changes[0]: changes nothing"),
        (a_plan(changes=[{"fee": "1"}]), f"{P0}.changes[0].from: missing"),
        (a_plan(rollover={}), f"{P0}.rollover.periods: missing"),
        (a_plan(rollover={"periods": 0}), f"{P0}.rollover.periods: less than 1"),
        (a_plan(rollover={"periods": 1, "cap": -1}), f"{P0}.rollover.cap: negative"),
        (a_plan(rollover={"periods": 1, "from": "May"}), f"{P0}.rollover.from: not a date"),
        (a_plan(rounding={"per": "week"}), f"{P0}.rounding.per: not one of entry, day"),
        (a_plan(tasks=[{"name": "Travel"}, {"name": "Travel"}]), f"{P0}.tasks[1].name: defined twice"),
        (a_plan(tasks=[{"name": "Travel", "fixed_fee": "1.001"}]), f"{P0}.tasks[0].fixed_fee: more than 2 decimals"),
        (a_plan(schedule="Nights"), f"{P0}.schedule: unknown"),
    ],
)
def test_the_first_error_of_a_service_is_named(service: dict[str, Any], message: str) -> None:
    assert first_error(extended(contracts=[a_contract(service)])) == message


def test_included_minutes_are_shared_among_services_of_equal_tax() -> None:
    other = VOUCHER_ONLY | {"name": "Remote", "included_from": "Desk", "taxable": False}
    contract = a_contract(a_plan(), other)
    assert (
        first_error(extended(contracts=[contract])) == "contracts[0].services[1].included_from: they differ in taxable"
    )


def window(**keys: Any) -> list[dict[str, Any]]:
    plain = {"days": ["mon"], "from": "18:00", "to": "22:00", "factor": "1.5"}
    return [{"name": "N", "zone": "Europe/Vienna", "windows": [plain | keys]}]


@pytest.mark.parametrize(
    ("schedules", "message"),
    [
        (window(days=[]), "schedules[0].windows[0].days: a window needs a day"),
        (window(days=["monday"]), "schedules[0].windows[0].days[0]: unknown"),
        (window(days=["mon", "mon"]), "schedules[0].windows[0].days[1]: appears twice"),
        (window(to="24:01"), "schedules[0].windows[0].to: not a time from 00:00 to 24:00"),
        (window(**{"from": "24:00"}), "schedules[0].windows[0].from: not a time from 00:00 to 23:59"),
        (window(hourly_rate="90"), "schedules[0].windows[0]: not exactly one of factor and hourly_rate"),
        (window(factor=None), "schedules[0].windows[0]: not exactly one of factor and hourly_rate"),
        ([window()[0] | {"zone": "Europe/Wien"}], "schedules[0].zone: not a time zone"),
        ([window()[0] | {"holidays": ["x"]}], "schedules[0].holidays[0]: not a date"),
        (window() + window(), "schedules[1].name: defined twice"),
        (
            [window()[0] | {"windows": window()[0]["windows"] + window(factor=None, hourly_rate="1")[0]["windows"]}],
            "schedules[0].windows[1]: the windows of a schedule have either factors or hourly rates",
        ),
    ],
)
def test_the_first_error_of_a_schedule_is_named(schedules: list[Any], message: str) -> None:
    assert first_error(extended(schedules=schedules, contracts=[a_contract(a_plan())])) == message


TRAVEL = a_plan(tasks=[{"name": "Travel", "fixed_fee": "50.00"}])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"task": "Trip"}, "entries[0].task: unknown"),
        ({"task": "Travel", "hourly_rate": "1"}, "entries[0].hourly_rate: the task has a fixed fee"),
        ({"case": 7}, "entries[0].case: not a string"),
        ({"started": "2026-01-05T10:00:00"}, "entries[0].started: not an instant with a zone"),
        ({"started": "9999-12-31T10:00:00Z"}, "entries[0].started: too near to the end of the calendar"),
        (
            {"started": "2026-01-05T10:00:00Z", "actual_minutes": 44641},
            "entries[0].actual_minutes: more than 44640 minutes of an entry with a clock time",
        ),
    ],
)
def test_the_first_error_of_an_entry_is_named(keys: dict[str, Any], message: str) -> None:
    entries = [an_entry("a", "2026-01-05", 30) | keys]
    assert first_error(extended(contracts=[a_contract(TRAVEL)], entries=entries)) == message


def test_a_voucher_without_an_end_is_drawn_last_and_for_ever() -> None:
    """D20: a voucher without an end is drawn after those that expire, and pays for any day from its first day on."""
    plain = {"services": ["Desk"], "minutes": 30, "price": "10.00", "sold": "2026-01-01", "valid_from": "2026-01-01"}
    vouchers = [plain | {"id": "open"}, plain | {"id": "ends", "valid_until": "2026-02-01"}]
    entries = [an_entry("a", "2026-01-05", 40), an_entry("b", "9999-12-31", 40)]
    output: Any = simulate(
        extended(
            contracts=[a_contract(VOUCHER_ONLY)], vouchers=vouchers, entries=entries, steps=[{"approve": ["a", "b"]}]
        )
    )
    drawn = [[(piece["source"], piece["minutes"]) for piece in output["allocations"][id]] for id in ("a", "b")]
    assert drawn == [[("ends", 30), ("open", 10)], [("open", 20), (None, 20)]]


@pytest.mark.parametrize(
    ("currency", "fee", "tax", "too_fine"), [("JPY", "101", "25", "101.5"), ("KWD", "100.555", "25.139", "100.5555")]
)
def test_amounts_of_an_extended_document_have_the_decimals_of_the_currency(
    currency: str, fee: str, tax: str, too_fine: str
) -> None:
    """Fee and VAT have the decimals of the currency: 25 % VAT is rounded from 25.25 to 25 yen, and from 25.13875 to 25.139 dinars."""
    steps = [{"bill": {"until": "2026-01-01"}}]
    output: Any = simulate(extended(currency=currency, contracts=[a_contract(a_plan(fee=fee))], steps=steps))
    assert (output["invoices"][0]["net"], output["invoices"][0]["tax"]) == (fee, tax)
    finer = extended(currency=currency, contracts=[a_contract(a_plan(fee=too_fine))])
    assert first_error(finer).startswith(f"{P0}.fee: more than")


@pytest.mark.parametrize(("cycle", "second"), [("weekly", "2026-01-08"), ("half_yearly", "2026-07-01")])
def test_a_week_and_a_half_year_are_billing_periods(cycle: str, second: str) -> None:
    contract = a_contract(a_plan(), cycle=cycle)
    output: Any = simulate(extended(contracts=[contract], steps=[{"bill": {"until": second}}]))
    labels = [line["label"] for line in output["invoices"][0]["lines"]]
    assert labels[0] == f"Desk 2026-01-01/{second}"
    assert labels[1].startswith(f"Desk {second}/")


def test_a_period_may_begin_on_the_last_day_of_each_month() -> None:
    """An anchor on the 31st begins periods on 31 January, 28 February, 31 March and 30 April."""
    contract = a_contract(a_plan(), anchor="2026-01-31", start="2026-01-31")
    output: Any = simulate(extended(contracts=[contract], steps=[{"bill": {"until": "2026-04-01"}}]))
    assert [line["label"] for line in output["invoices"][0]["lines"]] == [
        "Desk 2026-01-31/2026-02-28",
        "Desk 2026-02-28/2026-03-31",
        "Desk 2026-03-31/2026-04-30",
    ]
