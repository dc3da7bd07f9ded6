"""Test the engine against calculations by hand: each settlement, rollup, rounding, proration and tax case, in a table."""

from typing import Any

import pytest

from portal.billing.simulate import simulate
from tests.billing.documents import a_contract, a_plan, an_entry, extended, paid_by

FEBRUARY = "2026-02-01"
TIME = {"name": "Desk", "settlement": "time_spent", "rollup": "none"}


def outcome(services: list[Any], entries: list[Any], until: str = FEBRUARY, **keys: Any) -> Any:
    """Return the result of approving everything and billing the days before `until`, in a contract that begins in January."""
    contract = a_contract(*services, **keys.pop("contract", {}))
    steps = [{"approve": [entry["id"] for entry in entries]}, {"bill": {"until": until}}]
    return simulate(extended(contracts=[contract], entries=entries, steps=steps, **keys))


def amounts(output: Any, id: str) -> list[tuple[str, int, str]]:
    return [(piece["kind"], piece["minutes"], piece["amount"]) for piece in output["allocations"][id]]


def test_time_spent_costs_minutes_times_rate_by_sixty() -> None:
    """D6: the amount of each entry is rounded half up to the cent, and never computed from hours with two decimals.

    | minutes | rate   | exact    | amount |
    |---------|--------|----------|--------|
    | 50      | 100.00 | 83.333…  | 83.33  |
    | 7       | 100.00 | 11.666…  | 11.67  |
    | 3       | 0.10   | 0.005    | 0.01   |
    | net     |        |          | 95.01  |
    """
    entries = [
        an_entry("a", "2026-01-05", 50, hourly_rate="100.00"),
        an_entry("b", "2026-01-06", 7, hourly_rate="100.00"),
        an_entry("c", "2026-01-07", 3, hourly_rate="0.10"),
    ]
    invoice = outcome([TIME], entries)["invoices"][0]
    assert [line["net"] for line in invoice["lines"]] == ["83.33", "11.67", "0.01"]
    assert invoice["net"] == "95.01"


def test_a_voucher_pays_until_it_is_used_up_and_its_sale_is_billed_once() -> None:
    """D20, D22, D29: the voucher that expires first pays first; what is drawn costs nothing more.

    | entry        | minutes | of V1 (60, until March) | of V2 (60, until June) | charged at 60.00 |
    |--------------|---------|-------------------------|------------------------|------------------|
    | 10 Jan       | 50      | 50                      |                        |                  |
    | 11 Jan       | 50      | 10                      | 40                     |                  |
    | 12 Jan       | 50      |                         | 20                     | 30 → 30.00       |

    The invoice has V1 (90.00), V2 (80.00) and the 30 minutes: 200.00 net, 50.00 VAT.
    """
    service = {"name": "Desk", "settlement": "voucher", "rollup": "service", "overflow": "bill"}
    plain = {"services": ["Desk"], "minutes": 60, "sold": "2026-01-02", "valid_from": "2026-01-02"}
    vouchers = [
        plain | {"id": "V2", "price": "80.00", "valid_until": "2026-06-01"},
        plain | {"id": "V1", "price": "90.00", "valid_until": "2026-03-01"},
    ]
    entries = [an_entry(id, f"2026-01-{day}", 50) for id, day in (("a", 10), ("b", 11), ("c", 12))]
    output = outcome([service], entries, vouchers=vouchers)
    assert paid_by(output, "a") == [("voucher", 50, "V1")]
    assert paid_by(output, "b") == [("voucher", 10, "V1"), ("voucher", 40, "V2")]
    assert paid_by(output, "c") == [("voucher", 20, "V2"), ("charged", 30, None)]
    invoice = output["invoices"][0]
    assert [(line["label"], line["net"]) for line in invoice["lines"]] == [
        ("Desk", "30.00"),
        ("V1", "90.00"),
        ("V2", "80.00"),
    ]
    assert (invoice["net"], invoice["tax"], invoice["gross"]) == ("200.00", "50.00", "250.00")


def test_a_subscription_costs_its_fee_and_what_exceeds_its_minutes() -> None:
    """D20, D24: 60 minutes are included, and an hour beyond them costs 110.00.

    | what           | minutes | amount |
    |----------------|---------|--------|
    | fee of January |         | 100.00 |
    | included       | 60      | 0.00   |
    | beyond         | 45      | 82.50  |
    | January in all |         | 182.50 |

    The fee of February falls due on 1 February, in advance, and is on the same invoice.
    """
    entries = [an_entry("a", "2026-01-05", 105)]
    output = outcome([a_plan(overage_rate="110.00")], entries)
    assert amounts(output, "a") == [("included", 60, "0.00"), ("charged", 45, "82.50")]
    assert [line["net"] for line in output["invoices"][0]["lines"]] == ["100.00", "100.00", "82.50"]


@pytest.mark.parametrize(
    ("rollup", "lines"),
    [
        ("none", [("VPN", 20, "20.00"), ("Mail", 40, "40.00"), ("Disk", 10, "15.00"), ("Gift", 0, "0.00")]),
        ("resource", [("Ines", 60, "60.00"), ("Max", 10, "15.00")]),
        ("role", [("senior", 30, "35.00"), ("trainee", 40, "40.00")]),
        ("service", [("Desk", 70, "75.00")]),
    ],
)
def test_each_rollup_groups_the_same_time_to_the_same_total(rollup: str, lines: list[tuple[str, int, str]]) -> None:
    """S4.15 to S4.18: three entries and one at no charge; the net is 75.00 in each rollup.

    | entry | agent | role    | minutes | rate  | amount |
    |-------|-------|---------|---------|-------|--------|
    | VPN   | Ines  | senior  | 20      | 60.00 | 20.00  |
    | Mail  | Ines  | trainee | 40      | 60.00 | 40.00  |
    | Disk  | Max   | senior  | 10      | 90.00 | 15.00  |
    | Gift  | Max   | senior  | 30      |       | 0.00   |
    """
    entries = [
        an_entry("a", "2026-01-05", 20, external_comment="VPN"),
        an_entry("b", "2026-01-06", 40, external_comment="Mail", role="trainee"),
        an_entry("c", "2026-01-07", 10, external_comment="Disk", agent="Max", hourly_rate="90.00"),
        an_entry("d", "2026-01-08", 30, external_comment="Gift", agent="Max", billing="no_charge"),
    ]
    invoice = outcome([TIME | {"rollup": rollup}], entries)["invoices"][0]
    assert [(line["label"], line["minutes"], line["net"]) for line in invoice["lines"]] == lines
    assert invoice["net"] == "75.00"
    assert invoice["detail"] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("worked", "up", "down", "nearest"),
    [
        (1, 10, 10, 10),
        (10, 15, 10, 15),
        (15, 15, 15, 15),
        (16, 30, 15, 15),
        (22, 30, 15, 15),
        (23, 30, 15, 30),
        (30, 30, 30, 30),
    ],
)
def test_minutes_are_raised_to_the_minimum_and_then_rounded(worked: int, up: int, down: int, nearest: int) -> None:
    """D2, D4: a minimum of 10 minutes is applied before rounding to 15, and rounding never goes below the minimum.

    With `up`, one minute is raised to 10 and then rounded up to 15.
    """
    expected = {"up": max(up, 15), "down": down, "nearest": max(nearest, 15)}
    for mode, minutes in expected.items():
        service = TIME | {"rounding": {"minimum": 10, "increment": 15, "mode": mode}}
        output = outcome([service], [an_entry("a", "2026-01-05", worked)])
        assert output["allocations"]["a"][0]["minutes"] == minutes, mode


@pytest.mark.parametrize(
    ("contract", "service", "fee", "minutes", "days"),
    [
        ({}, {}, "100.00", 60, "31 of 31"),
        ({}, {"effective_start": "2026-01-11"}, "67.74", 40, "21 of 31: 67.741…, 40.6…"),
        ({"start": "2026-01-31"}, {}, "3.23", 1, "1 of 31: 3.225…, 1.9…"),
        ({"end": "2026-01-16"}, {}, "48.39", 29, "15 of 31: 48.387…, 29.03…"),
        ({"anchor": "2026-01-15"}, {}, "45.16", 27, "14 of 31 (15 Dec to 14 Jan): 45.161…, 27.09…"),
    ],
)
def test_a_partly_active_period_has_its_share_of_fee_and_minutes(
    contract: dict[str, Any], service: dict[str, Any], fee: str, minutes: int, days: str
) -> None:
    """D26: a partly active period has a share of fee (100.00, rounded half up) and included minutes (60, rounded down)."""
    first = service.get("effective_start") or contract.get("start") or "2026-01-05"
    output = outcome([a_plan(**service)], [an_entry("a", first, 100)], first, contract=contract)
    assert output["invoices"][0]["lines"][0]["net"] == fee, days
    assert amounts(output, "a")[0] == ("included", minutes, "0.00"), days


def test_tax_is_computed_on_the_sum_of_each_rate() -> None:
    """D41, D42: 25 % of three lines of 0.33 is 0.25 (0.2475) and not three times 0.08; time without tax has 0 %.

    | line     | net  | category | rate |
    |----------|------|----------|------|
    | a        | 0.33 | S        | 25   |
    | b        | 0.33 | S        | 25   |
    | c        | 0.33 | S        | 25   |
    | exempt   | 5.00 | E        | 0    |

    The VAT is 0.25 on 0.99 and 0.00 on 5.00; the gross is 6.24.
    """
    exempt = TIME | {"name": "Training", "taxable": False}
    entries = [an_entry(id, "2026-01-05", 1, hourly_rate="19.80") for id in ("a", "b", "c")]
    entries.append(an_entry("exempt", "2026-01-05", 5, service="Training"))
    invoice = outcome([TIME, exempt], entries)["invoices"][0]
    assert [line["net"] for line in invoice["lines"]] == ["0.33", "0.33", "0.33", "5.00"]
    assert invoice["vat"] == [
        {"category": "E", "rate": "0", "base": "5.00", "tax": "0.00"},
        {"category": "S", "rate": "25", "base": "0.99", "tax": "0.25"},
    ]
    assert (invoice["net"], invoice["tax"], invoice["gross"]) == ("5.99", "0.25", "6.24")


@pytest.mark.parametrize(
    ("rate", "net", "tax"),
    [("7.7", "100.00", "7.70"), ("19", "0.50", "0.10"), ("8.1", "0.05", "0.00"), ("0", "10.00", "0.00")],
)
def test_tax_is_rounded_half_up(rate: str, net: str, tax: str) -> None:
    """D41: 19 % of 0.50 is 0.095, which rounds up to 0.10; 8.1 % of 0.05 is 0.00405, which rounds down."""
    invoice = outcome([a_plan(fee=net)], [], "2026-01-01", vat={"category": "S", "rate": rate})["invoices"][0]
    assert (invoice["tax"], invoice["vat"][0]["base"]) == (tax, net)
