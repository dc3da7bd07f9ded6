"""Test credits in the engine: of whole documents, lines, entries and single minutes (D38, D39, D40).

A credit either frees the credited time, so that the next run bills it again, or writes it off.
"""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.billing.simulate import BadDocument, simulate
from tests.billing import books
from tests.billing.documents import a_contract, a_plan, an_entry, extended, paid_by

FEBRUARY, MARCH = "2026-02-01", "2026-03-01"
TIME = {"name": "Desk", "settlement": "time_spent", "rollup": "none"}
VOUCHER = {
    "id": "V", "services": ["Desk"], "minutes": 600, "price": "900.00", "sold": "2026-01-01", "valid_from": "2026-01-01",
}  # fmt: skip
HOURS = {"name": "Desk", "settlement": "voucher", "rollup": "service", "overflow": "bill"}


def outcome(service: dict[str, Any], entries: list[Any], *steps: Any, **keys: Any) -> Any:
    first = [{"approve": [entry["id"] for entry in entries]}, {"bill": {"until": FEBRUARY}}]
    return simulate(extended(contracts=[a_contract(service)], entries=entries, steps=[*first, *steps], **keys))


def credit(**keys: Any) -> dict[str, Any]:
    return {"credit": {"invoice": 0} | keys}


def lines(document: Any) -> list[tuple[str, int | None, str]]:
    return [(line["kind"], line["minutes"], line["net"]) for line in document["lines"]]


def test_a_whole_credit_mirrors_the_invoice_and_frees_everything() -> None:
    """D38, D40: a credit note for a whole invoice has its fees, its 30 charged minutes and their VAT, as negative sums.

    All time, the 60 included minutes too, is free again: the approvals of both entries can be withdrawn.

    | line       | invoice | credit note |
    |------------|---------|-------------|
    | fee Jan    | 100.00  | -100.00     |
    | fee Feb    | 100.00  | -100.00     |
    | 0:30 h     | 30.00   | -30.00      |
    | net        | 230.00  | -230.00     |
    | VAT 25 %   | 57.50   | -57.50      |
    """
    entries = [an_entry("a", "2026-01-05", 60), an_entry("b", "2026-01-06", 30)]
    output = outcome(a_plan(), entries, credit())
    note = output["corrections"][0]
    assert (note["step"], note["kind"], note["of"], note["detail"]) == (2, "credit_note", {"invoice": 0}, ["a", "b"])
    assert lines(note)[:3] == [("fee", None, "-100.00"), ("fee", None, "-100.00"), ("time", -30, "-30.00")]
    assert (note["net"], note["tax"], note["gross"]) == ("-230.00", "-57.50", "-287.50")
    again = outcome(a_plan(), entries, credit(), {"withdraw": ["a", "b"]})
    assert again["refused"] == []
    assert again["allocations"] == {}


def test_covered_minutes_are_given_back_by_a_line_of_zero() -> None:
    """If an entry that the included minutes paid for is credited and written off, the credit note has a line of 0.00.

    The minutes go back to their period, in which another entry uses them.
    """
    entries = [an_entry("a", "2026-01-05", 60)]
    late = an_entry("late", "2026-01-20", 60)
    output = simulate(
        extended(
            contracts=[a_contract(a_plan())],
            entries=[*entries, late],
            steps=[
                {"approve": ["a"]},
                {"bill": {"until": FEBRUARY}},
                credit(entries=["a"], write_off=True),
                {"approve": ["late"]},
            ],
        )
    )
    note: Any = output["corrections"]
    assert lines(note[0]) == [("time", 0, "0.00")]
    assert [(piece["kind"], piece["minutes"]) for piece in note[0]["pieces"]] == [("included", -60)]
    assert paid_by(output, "late") == [("included", 60, "2026-01-01")]


def test_a_credit_by_line_takes_only_that_line() -> None:
    output = outcome(TIME, [an_entry("a", "2026-01-05", 60), an_entry("b", "2026-01-06", 30)], credit(lines=[1]))
    assert lines(output["corrections"][0]) == [("time", -30, "-30.00")]
    assert output["corrections"][0]["detail"] == ["b"]


def test_a_credit_of_minutes_frees_exactly_those() -> None:
    """D39: of 100 minutes at 60.00 an hour, 30 are credited, and the next run bills these 30 again.

    In between, the approval of the entry cannot be withdrawn, because 70 minutes are still billed.

    | step           | billed | free | result          |
    |----------------|--------|------|-----------------|
    | bill           | 100    | 0    | 100.00          |
    | credit 30      | 70     | 30   | -30.00          |
    | withdraw       | 70     | 30   | `settled`       |
    | bill           | 100    | 0    | 30.00           |
    """
    entries = [an_entry("a", "2026-01-05", 100)]
    output = outcome(TIME, entries, credit(minutes={"a": 30}), {"withdraw": ["a"]}, {"bill": {"until": FEBRUARY}})
    assert lines(output["corrections"][0]) == [("time", -30, "-30.00")]
    assert output["refused"] == [{"step": 3, "entry": "a", "reason": "settled"}]
    assert [invoice["net"] for invoice in output["invoices"]] == ["100.00", "30.00"]
    assert paid_by(output, "a") == [("charged", 70, None), ("charged", 30, None)]


def test_what_is_written_off_is_never_billed_again() -> None:
    output = outcome(
        TIME, [an_entry("a", "2026-01-05", 100)], credit(minutes={"a": 30}, write_off=True), {"bill": {"until": MARCH}}
    )
    assert len(output["invoices"]) == 1
    assert paid_by(output, "a") == [("charged", 70, None)]


def test_charged_minutes_are_credited_before_covered_ones() -> None:
    """If 60 included and 30 charged minutes are billed, a credit of 40 takes the 30 charged and 10 included minutes."""
    output = outcome(a_plan(), [an_entry("a", "2026-01-05", 90)], credit(minutes={"a": 40}, write_off=True))
    pieces = [(piece["kind"], piece["minutes"], piece["amount"]) for piece in output["corrections"][0]["pieces"]]
    assert pieces == [("included", -10, "0.00"), ("charged", -30, "-30.00")]
    assert paid_by(output, "a") == [("included", 50, "2026-01-01")]


def test_credits_in_parts_sum_to_the_first_amount() -> None:
    """50 minutes at 33.33 cost 27.78 (27.775). Credits of 20, 20 and 10 minutes give 11.11, 11.11 and 5.56 back.

    | still billed | amount         | credit |
    |--------------|----------------|--------|
    | 50           | 27.775 → 27.78 |        |
    | 30           | 16.665 → 16.67 | 11.11  |
    | 10           | 5.555 → 5.56   | 11.11  |
    | 0            | 0.00           | 5.56   |
    """
    steps = [credit(minutes={"a": minutes}, write_off=True) for minutes in (20, 20, 10)]
    output = outcome(TIME, [an_entry("a", "2026-01-05", 50, hourly_rate="33.33")], *steps)
    assert [note["net"] for note in output["corrections"]] == ["-11.11", "-11.11", "-5.56"]


def test_a_repeated_credit_gives_nothing_back() -> None:
    """Crediting a whole invoice a second time makes no document, even if another invoice has billed its entries since."""
    entries = [an_entry("a", "2026-01-05", 60)]
    output = outcome(a_plan(), entries, credit(), credit(), {"bill": {"until": FEBRUARY}}, credit())
    assert len(output["corrections"]) == 1
    assert len(output["invoices"]) == 2
    written_off = outcome(a_plan(), entries, credit(write_off=True), credit(write_off=True), credit())
    assert len(written_off["corrections"]) == 1


def test_of_a_voucher_at_most_the_share_of_the_undrawn_minutes_is_credited() -> None:
    """If 4 h of a voucher of 10 h for 900.00 are drawn, crediting the voucher gives back 900.00 * 6 / 10 = 540.00.

    The 6 h that nobody has drawn can then no longer be drawn.
    """
    entries = [an_entry("a", "2026-01-05", 240)]
    late = an_entry("late", "2026-02-05", 60)
    output: Any = simulate(
        extended(
            contracts=[a_contract(HOURS)],
            vouchers=[VOUCHER],
            entries=[*entries, late],
            steps=[{"approve": ["a"]}, {"bill": {"until": FEBRUARY}}, credit(lines=[0]), {"approve": ["late"]}],
        )
    )
    assert lines(output["corrections"][0]) == [("voucher", None, "-540.00")]
    assert paid_by(output, "late") == [("charged", 60, None)]


def test_what_is_drawn_back_from_a_credited_voucher_can_be_credited_too() -> None:
    """An invoice has a voucher of 10 h for 900.00, of which 4 h were drawn, and is credited in two steps.

    The first credit is of the voucher alone, and gives back 540.00 for the 6 undrawn hours. The second credit is of
    everything that is left. It gives the 4 drawn hours back to the voucher, so the other 360.00 of the price can be
    credited too.
    """
    output = outcome(
        HOURS,
        [an_entry("a", "2026-01-05", 240)],
        credit(lines=[0]),
        credit(write_off=True),
        vouchers=[VOUCHER],
    )
    assert [note["net"] for note in output["corrections"]] == ["-540.00", "-360.00"]


def test_a_part_of_a_voucher_is_credited_and_the_others_of_its_minutes_stay() -> None:
    """D38: of a voucher of 10 h for 900.00, of which 4 h were drawn, 2 h are credited, then 1 h, and then all the rest.

    | credited so far | credited of the price              | this credit |
    |-----------------|------------------------------------|-------------|
    | 2 h             | 900.00 * 2 / 10 = 180.00           | 180.00      |
    | 3 h             | 900.00 * 3 / 10 = 270.00           | 90.00       |
    | 6 h             | 900.00 * 6 / 10 = 540.00, the rest | 270.00      |
    """
    entries = [an_entry("a", "2026-01-05", 240), an_entry("late", "2026-01-06", 240)]
    output: Any = simulate(
        extended(
            contracts=[a_contract(HOURS)],
            entries=entries,
            vouchers=[VOUCHER],
            steps=[
                {"approve": ["a"]},
                {"bill": {"until": FEBRUARY}},
                credit(vouchers={"V": 120}),
                {"approve": ["late"]},
                credit(vouchers={"V": 60}),
                credit(lines=[0]),
                {"bill": {"until": FEBRUARY}},
            ],
        )
    )
    nets = ["-180.00", "-90.00", "-270.00"]
    assert [lines(note) for note in output["corrections"]] == [[("voucher", None, net)] for net in nets]
    assert paid_by(output, "late") == [("charged", 240, None)]
    assert all(line["kind"] != "voucher" for line in output["invoices"][1]["lines"]), "it is never sold again"


@given(st.lists(st.integers(1, 200), max_size=6), st.integers(1, 100_000))
@books.quick
def test_credits_of_a_voucher_in_parts_sum_to_its_price(parts: list[int], cents: int) -> None:
    """D38, D41: if an unused voucher is credited in parts and then wholly, the credits sum to its price to the cent."""
    left, steps = 600, list[Any]()
    for part in parts:
        if part <= left:
            steps.append(credit(vouchers={"V": part}))
            left -= part
    price = f"{Decimal(cents) / 100:.2f}"
    again = {"bill": {"until": FEBRUARY}}
    output = outcome(HOURS, [], *steps, credit(), again, vouchers=[VOUCHER | {"price": price}])
    assert len(output["invoices"]) == (1 if steps else 2), "what was credited in part is not sold again"
    assert sum(Decimal(note["net"]) for note in output["corrections"]) == -Decimal(price)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"vouchers": {"V": 601}}, "steps[2].credit.vouchers.V: 1 minutes more than are left of it"),
        ({"vouchers": {"V": 0}}, "steps[2].credit.vouchers.V: less than 1"),
        ({"vouchers": {"W": 1}}, "steps[2].credit.vouchers.W: unknown key"),
        (
            {"vouchers": {"V": 1}, "lines": [0]},
            "steps[2].credit: more than one of lines, entries, minutes and vouchers",
        ),
    ],
)
def test_a_part_of_a_voucher_that_cannot_be_credited_is_an_error(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(BadDocument) as refusal:
        outcome(HOURS, [], credit(**asked), vouchers=[VOUCHER])
    assert str(refusal.value) == message


def test_a_voucher_that_nobody_used_is_sold_again_by_the_next_run() -> None:
    output = outcome(HOURS, [], credit(), {"bill": {"until": FEBRUARY}}, vouchers=[VOUCHER])
    assert [invoice["net"] for invoice in output["invoices"]] == ["900.00", "900.00"]


def test_a_statement_is_corrected_by_a_further_one() -> None:
    plan = a_plan(fee="0.00")
    output = outcome(plan, [an_entry("a", "2026-01-05", 60)], {"credit": {"statement": 0}})
    note = output["corrections"][0]
    assert (note["kind"], note["of"], note["detail"]) == ("statement", {"statement": 0}, ["a"])
    assert "lines" not in note


def test_a_fixed_fee_is_credited_as_a_whole() -> None:
    service = TIME | {"tasks": [{"name": "Travel", "fixed_fee": "50.00"}]}
    entries = [an_entry("a", "2026-01-05", 30, task="Travel")]
    assert outcome(service, entries, credit(minutes={"a": 30}))["corrections"][0]["net"] == "-50.00"
    with pytest.raises(BadDocument, match=r"steps\[2\]\.credit\.minutes\.a: a fixed fee is credited as a whole"):
        outcome(service, entries, credit(minutes={"a": 10}))


def test_freed_minutes_keep_the_rate_of_their_hour() -> None:
    """The last 30 minutes of an entry with an hour at 60.00 and an hour at 90.00 are credited and billed again at 90.00."""
    evening = {"days": ["mon"], "from": "18:00", "hourly_rate": "90.00"}
    schedule = {"name": "S", "zone": "UTC", "windows": [evening]}
    entries = [an_entry("a", "2026-01-05", 120, started="2026-01-05T17:00:00Z")]
    steps = [credit(minutes={"a": 30}), {"bill": {"until": FEBRUARY}}]
    output = outcome(TIME | {"schedule": "S"}, entries, *steps, schedules=[schedule])
    assert [invoice["net"] for invoice in output["invoices"]] == ["150.00", "45.00"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"credit": {}}, "steps[2].credit: not exactly one of invoice and statement"),
        (credit(statement=0), "steps[2].credit: not exactly one of invoice and statement"),
        (credit(lines=[0], entries=["a"]), "steps[2].credit: more than one of lines, entries, minutes and vouchers"),
        ({"credit": {"invoice": 1}}, "steps[2].credit.invoice: no invoice of this number was made before"),
        ({"credit": {"statement": 0}}, "steps[2].credit.statement: no statement of this number was made before"),
        (credit(invoice=-1), "steps[2].credit.invoice: negative"),
        (credit(lines=[1]), "steps[2].credit.lines[0]: the document has no line of this number"),
        (credit(lines=[0, 0]), "steps[2].credit.lines[1]: appears twice"),
        (credit(entries=["x"]), "steps[2].credit.entries[0]: unknown"),
        (credit(entries=["other"]), "steps[2].credit.entries[0]: not on this document"),
        (credit(minutes={"x": 1}), "steps[2].credit.minutes.x: unknown key"),
        (credit(minutes={"a": 0}), "steps[2].credit.minutes.a: less than 1"),
        (credit(minutes={"a": 61}), "steps[2].credit.minutes.a: 1 minutes more than the document still has of it"),
        (
            credit(minutes={"other": 1}),
            "steps[2].credit.minutes.other: 1 minutes more than the document still has of it",
        ),
        (credit(write_off="yes"), "steps[2].credit.write_off: not true or false"),
        ({"end": {"contract": "Sales", "on": MARCH}}, "steps[2].end.contract: unknown"),
        ({"end": {"contract": "Support", "on": "2026-01-01"}}, "steps[2].end.on: on or before the contract's start"),
        ({"end": {"contract": "Support"}}, "steps[2].end.on: missing"),
    ],
)
def test_a_credit_or_an_end_that_is_not_possible_is_an_error(asked: dict[str, Any], message: str) -> None:
    entries = [an_entry("a", "2026-01-05", 60), an_entry("other", "2026-02-05", 60)]
    with pytest.raises(BadDocument) as refusal:
        outcome(TIME, entries, asked)
    assert str(refusal.value) == message


def end(on: str) -> dict[str, Any]:
    return {"end": {"contract": "Support", "on": on}}


def test_a_contract_that_ends_gives_the_fee_of_its_unused_days_back() -> None:
    """Fees of January and February are billed in advance; then the contract ends on 21 January.

    The fee of the last 11 of 31 days of January and the fee of February are credited.

    | fee | paid   | due for 20 of 31 days | credited |
    |-----|--------|-----------------------|----------|
    | Jan | 100.00 | 64.52 (64.516)        | 35.48    |
    | Feb | 100.00 | 0.00                  | 100.00   |
    """
    output = outcome(a_plan(), [], end("2026-01-21"), {"bill": {"until": MARCH}})
    note = output["corrections"][0]
    assert [(line["label"], line["net"]) for line in note["lines"]] == [
        ("Desk 2026-01-21/2026-02-01", "-35.48"),
        ("Desk 2026-02-01/2026-03-01", "-100.00"),
    ]
    assert (note["of"], note["gross"]) == ({"invoice": 0}, "-169.35")
    assert len(output["invoices"]) == 1


def test_an_earlier_end_credits_only_the_further_days_and_a_later_one_is_refused() -> None:
    output = outcome(a_plan(), [], end("2026-02-15"), end("2026-02-08"))
    assert [note["net"] for note in output["corrections"]] == ["-50.00", "-25.00"]
    with pytest.raises(BadDocument, match=r"steps\[3\]\.end\.on: not before the contract's end"):
        outcome(a_plan(), [], end("2026-02-15"), end("2026-02-15"))


@given(st.integers(2, 60), st.integers(1, 3), st.sampled_from(["99.99", "100.00", "0.01", "33.33"]))
@books.quick
@pytest.mark.slow
def test_an_end_leaves_what_would_have_been_charged_had_it_been_known(day: int, runs: int, fee: str) -> None:
    """If a contract's end is set after its fees were billed, credit notes correct the fees exactly.

    Invoices less credit notes have the same sum as the invoices of a contract whose end was set before any billing.
    """
    on = f"2026-0{1 + day // 31}-{day % 31 or 1:02}" if day < 59 else "2026-03-10"
    if on == "2026-01-01":
        on = "2026-01-02"
    bills = [{"bill": {"until": f"2026-0{month + 1}-01"}} for month in range(runs)]
    late: Any = simulate(extended(contracts=[a_contract(a_plan(fee=fee))], steps=[*bills, end(on)]))
    known: Any = simulate(extended(contracts=[a_contract(a_plan(fee=fee), end=on)], steps=bills))
    charged = sum(Decimal(made["net"]) for made in late["invoices"] + late["corrections"])
    assert charged == sum(Decimal(made["net"]) for made in known["invoices"])


@pytest.mark.parametrize(("fee", "gross", "payable"), [("100.02", "125.03", "125.05"), ("100.00", "125.00", "125.00")])
def test_the_sum_to_pay_is_rounded_to_the_smallest_coin(fee: str, gross: str, payable: str) -> None:
    """In CHF with coins of 0.05, only the sum to pay is rounded, half up; net, tax and gross are not."""
    plan = a_plan(fee=fee, effective_start=FEBRUARY)
    output = outcome(plan, [], credit(), currency="CHF", cash_rounding="0.05")
    invoice, note = output["invoices"][0], output["corrections"][0]
    assert (invoice["gross"], invoice["payable"]) == (gross, payable)
    assert (note["gross"], note["payable"]) == (f"-{gross}", f"-{payable}")


def test_a_coin_is_more_than_nothing() -> None:
    with pytest.raises(BadDocument, match="cash_rounding: zero"):
        outcome(a_plan(), [], cash_rounding="0.00")
