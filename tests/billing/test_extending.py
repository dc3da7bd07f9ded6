"""Test the fees of periods that were billed in part, because the end of the contract was moved afterwards."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portal.billing.engine import (
    BillingState,
    ContractTerms,
    Rollup,
    ServiceTerms,
    Settlement,
    VatCategory,
    VatRate,
)
from portal.billing.engine import bill as bill_book
from portal.billing.simulate import BadDocument, simulate
from portal.periods import Cycle
from tests.billing import books
from tests.billing.documents import a_contract, a_plan, an_entry, extended, paid_by

JUNE = "2026-06-01"


def end(on: str) -> dict[str, Any]:
    return {"end": {"contract": "Support", "on": on}}


def extend(until: str | None) -> dict[str, Any]:
    return {"extend": {"contract": "Support", "until": until}}


def bill(until: str) -> dict[str, Any]:
    return {"bill": {"until": until}}


def outcome(*steps: Any, end: str | None = None, **keys: Any) -> Any:
    """Return the result of `steps` for a contract with a monthly fee of 100.00 in advance; `keys` change its service."""
    return simulate(extended(contracts=[a_contract(a_plan(**keys), end=end)], steps=list(steps)))


def fees(documents: Any) -> list[list[tuple[str, str]]]:
    return [[(line["label"].removeprefix("Desk "), line["net"]) for line in made["lines"]] for made in documents]


def test_a_contract_that_is_renewed_within_a_period_pays_the_rest_of_its_fee() -> None:
    """S3.23, D26: a contract that was to end on 13 January is extended twice, and January costs 100.00 in all.

    | fee line      | days | cost of January up to its end | net   |
    |---------------|------|-------------------------------|-------|
    | 1 to 12 Jan   | 12   | 12/31 x 100 = 38.709 = 38.71  | 38.71 |
    | 13 to 19 Jan  | 7    | 19/31 x 100 = 61.290 = 61.29  | 22.58 |
    | 20 to 31 Jan  | 12   | 31/31 x 100 = 100.00          | 38.71 |
    """
    output = outcome(
        bill("2026-01-02"), extend("2026-01-20"), bill("2026-01-20"), extend(None), bill("2026-01-20"), bill("2026-01-20"), end="2026-01-13"
    )  # fmt: skip
    assert fees(output["invoices"]) == [
        [("2026-01-01/2026-01-13", "38.71")],
        [("2026-01-13/2026-01-20", "22.58")],
        [("2026-01-20/2026-02-01", "38.71")],
    ]


def test_what_an_end_credited_is_billed_again_once_the_contract_is_extended() -> None:
    """D26, D38: an end on 13 January credits 61.29 of 100.00; once the contract is extended to 20 January, 22.58 are due again."""
    output = outcome(
        bill("2026-01-02"), end("2026-01-13"), extend("2026-01-20"), bill("2026-01-02"), bill("2026-01-02")
    )
    assert fees(output["corrections"]) == [[("2026-01-13/2026-02-01", "-61.29")]]
    assert fees(output["invoices"])[1:] == [[("2026-01-13/2026-01-20", "22.58")]]


def test_a_period_that_was_credited_wholly_is_billed_wholly() -> None:
    """D38: an end on 1 February credits February's fee; after an extension to 15 February, 14 of 28 days are billed."""
    output = outcome(bill("2026-02-01"), end("2026-02-01"), extend("2026-02-15"), bill("2026-02-01"))
    assert fees(output["corrections"]) == [[("2026-02-01/2026-03-01", "-100.00")]]
    assert fees(output["invoices"])[1:] == [[("2026-02-01/2026-02-15", "50.00")]]


def test_a_fee_in_arrears_pays_for_the_rest_once_the_period_has_ended() -> None:
    """D26: if a contract whose last day was 12 January is extended, the rest of January is billed when January is over.

    The fee is in arrears: a run up to 31 January does not bill the rest of the fee, and a run up to 1 February does.
    """
    output = outcome(
        bill("2026-01-13"), extend(None), bill("2026-01-31"), bill("2026-02-01"), end="2026-01-13", due="arrears"
    )
    assert fees(output["invoices"]) == [[("2026-01-01/2026-01-13", "38.71")], [("2026-01-13/2026-02-01", "61.29")]]


def test_the_hours_of_an_extended_period_grow_with_its_days() -> None:
    """D26: once a contract that was to end on 13 January is extended, all 60 minutes of January are included.

    They cover an entry of 20 January, whose approval was refused before.
    """
    late = an_entry("late", "2026-01-20", 60)
    steps = [bill("2026-01-02"), {"approve": ["late"]}, extend(None), {"approve": ["late"]}]
    contract = a_contract(a_plan(), end="2026-01-13")
    output: Any = simulate(extended(contracts=[contract], entries=[late], steps=steps))
    assert [one["reason"] for one in output["refused"]] == ["after_contract_end"]
    assert paid_by(output, "late") == [("included", 60, "2026-01-01")]


def test_each_part_of_a_fee_is_credited_by_itself() -> None:
    """D40: if the first part of January's fee is credited, only that part is billed again; the second part stays."""
    steps = [bill("2026-01-02"), extend(None), bill("2026-01-02"), {"credit": {"invoice": 0}}, bill("2026-01-02")]
    output = outcome(*steps, end="2026-01-13")
    assert fees(output["corrections"]) == [[("2026-01-01/2026-01-13", "-38.71")]]
    assert fees(output["invoices"])[2:] == [[("2026-01-01/2026-01-13", "38.71")]]


@given(
    st.lists(st.integers(0, 30), min_size=2, max_size=5, unique=True),
    st.integers(1, 99_999),
    st.sampled_from([0, 2, 3]),
)
@example([0, 1, 16], 31, 2)
@books.quick
def test_a_start_that_is_moved_earlier_costs_what_the_days_cost_together(
    starts: list[int], units: int, digits: int
) -> None:
    """D26: each time the service's start is moved earlier in March, a run bills the added days.

    The lines sum to the fee for all days from the earliest start on.
    """
    fee = Decimal(units).scaleb(-digits)
    until, first = date(2026, 4, 1), date(2026, 3, 1)
    state, sum_of = BillingState(contracts=(), digits=digits), Decimal(0)
    for start in sorted(starts, reverse=True):
        begins = first + timedelta(days=start)
        service = ServiceTerms(
            1,
            "Desk",
            Settlement.SUBSCRIPTION,
            Rollup.SERVICE,
            VatRate(VatCategory.STANDARD, Decimal(20)),
            begins,
            fee=fee,
        )
        contract = ContractTerms(7, "Support", first, until, Cycle.MONTHLY, first, (service,))
        billing = bill_book(replace(state, contracts=(contract,)), until)
        free = {(1, part.start): Decimal(0) for parts in billing.state.billed_fees.values() for part in parts}
        nets = {line.sold: line.net for made in billing.documents for line in made.lines if line.sold}
        state = replace(billing.state, charged={**free, **state.charged, **nets})
        sum_of += sum(nets.values())
    share = (fee * (31 - min(starts)) / 31).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    assert sum_of == share


moves = st.lists(st.tuples(st.sampled_from(["end", "extend", "bill"]), st.integers(1, 120)), max_size=7)


@given(moves, st.sampled_from(["100.00", "99.99", "0.01", "33.33"]), st.sampled_from(["advance", "arrears"]))
@books.quick
def test_fees_less_credits_are_those_of_the_days_that_were_active(
    moves: list[tuple[str, int]], fee: str, due: str
) -> None:
    """D26, D38: in any order of billing, ending and extending, fees less credits equal the fees of the active days."""
    now: date | None = None
    steps = []
    for verb, number in moves:
        day = date(2026, 1, 1) + timedelta(days=number)
        if verb == "bill":
            steps.append(bill(str(day)))
        elif verb == "end" and (now is None or day < now):
            steps.append(end(str(day)))
            now = day
        elif verb == "extend" and now is not None:
            now = day if day > now else None
            steps.append(extend(now and str(now)))
    moved = outcome(*steps, bill(JUNE), bill(JUNE), fee=fee, due=due)
    known = outcome(bill(JUNE), fee=fee, due=due, end=now and str(now))
    charged = sum(Decimal(made["net"]) for made in moved["invoices"] + moved["corrections"])
    assert charged == sum(Decimal(made["net"]) for made in known["invoices"])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"contract": "Sales"}, "steps[1].extend.contract: unknown"),
        ({"contract": "Support", "until": "2026-01-13"}, "steps[1].extend.until: not after the contract's end"),
        ({"contract": "Support", "until": "soon"}, "steps[1].extend.until: not a date"),
    ],
)
def test_an_extension_that_is_none_is_an_error(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(BadDocument) as refusal:
        outcome(bill("2026-01-02"), {"extend": asked}, end="2026-01-13")
    assert str(refusal.value) == message


def test_a_contract_without_an_end_cannot_be_extended() -> None:
    with pytest.raises(BadDocument, match=r"steps\[0\]\.extend\.contract: has no end"):
        outcome(extend(JUNE))
