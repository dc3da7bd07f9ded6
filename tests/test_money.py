"""Test that amounts stay exact until they are rounded once, half up (D6, D41)."""

import re
from decimal import ROUND_HALF_UP, Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.money import (
    cash_amount,
    digits_of,
    divide_half_up,
    hourly_amount,
    parse_money,
    percent_of,
    round_half_up,
    total,
)

amounts = st.decimals(min_value=-(10**15), max_value=10**15, allow_nan=False, places=4)


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        ("0.005", 2, "0.01"),
        ("-0.005", 2, "-0.01"),
        ("0.00499999999999999999999999999999999999", 2, "0.00"),
        ("2.675", 2, "2.68"),
        ("1E+3", 2, "1000.00"),
        ("0.5", 0, "1"),
        ("1.0005", 3, "1.001"),
        ("0", 2, "0.00"),
    ],
)
def test_a_half_goes_away_from_zero(value: str, digits: int, expected: str) -> None:
    assert str(round_half_up(Decimal(value), digits)) == expected


def test_a_number_longer_than_any_context_is_not_cut() -> None:
    assert str(round_half_up(Decimal("9" * 60 + ".994"), 2)) == "9" * 60 + ".99"
    assert total([Decimal("9" * 60), Decimal("0.01")], 2) == Decimal("9" * 60 + ".01")


def test_fifty_minutes_at_a_hundred_are_83_33_and_not_83() -> None:
    """D6: 50 minutes at 100.00 an hour cost 83.33; rounding the hours to 0.83 first would give 83.00."""
    assert hourly_amount(50, Decimal(100), 2) == Decimal("83.33")


@pytest.mark.parametrize(("currency", "written"), [("EUR", "52.89"), ("JPY", "53"), ("KWD", "52.887")])
def test_an_amount_has_the_decimals_of_its_currency(currency: str, written: str) -> None:
    assert str(hourly_amount(47, Decimal("67.515"), digits_of(currency))) == written


def test_an_empty_sum_is_written_with_its_decimals() -> None:
    assert str(total([], 2)) == "0.00"


def test_tax_is_rounded_once() -> None:
    assert percent_of(Decimal("309.35"), Decimal("7.7"), 2) == Decimal("23.82")


@given(amounts, st.integers(1, 10**6), st.integers(0, 4))
def test_a_quotient_agrees_with_decimal_at_high_precision(value: Decimal, divisor: int, digits: int) -> None:
    wide = Context(prec=200)
    unit = Decimal(1).scaleb(-digits)
    assert divide_half_up(value, divisor, digits) == wide.divide(value, Decimal(divisor)).quantize(
        unit, ROUND_HALF_UP, wide
    )


@given(st.lists(amounts))
def test_a_sum_does_not_depend_on_its_order(values: list[Decimal]) -> None:
    assert total(values, 4) == total(sorted(values), 4) == total(reversed(values), 4)


@given(st.integers(0, 10**14), st.sampled_from([0, 2, 3]))
def test_what_is_written_is_read_again(units: int, digits: int) -> None:
    value = Decimal(units).scaleb(-digits)
    assert parse_money(f"{value:f}", digits, largest=Decimal(10**15)) == value
    assert parse_money(f"{value:f}".replace(".", ","), digits, largest=Decimal(10**15)) == value


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Write an amount with digits only, such as 1234.50."),
        ("12 EUR", "Write an amount with digits only, such as 1234.50."),
        ("1e5", "Write an amount with digits only, such as 1234.50."),
        ("NaN", "Write an amount with digits only, such as 1234.50."),
        ("１２", "Write an amount with digits only, such as 1234.50."),
        ("1,234.50", "Write an amount with digits only, such as 1234.50."),
        ("1,234", "Use at most 2 decimals and no separator for thousands: write 1234.50."),
        ("-1", "An amount cannot be negative."),
        ("1000000000000", "This amount is too large."),
        ("9" * 5000, "This amount is too large."),
    ],
)
def test_what_is_no_amount_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        parse_money(text, 2)


def test_a_currency_without_decimals_takes_none() -> None:
    with pytest.raises(ValueError, match="Use no decimals and no separator for thousands: write 1234"):
        parse_money("12.5", 0)


@pytest.mark.parametrize(
    ("amount", "step", "paid"),
    [
        ("12.32", "0.05", "12.30"),
        ("12.325", "0.05", "12.35"),
        ("12.33", "0.05", "12.35"),
        ("-12.33", "0.05", "-12.35"),
        ("0.02", "0.05", "0.00"),
        ("7.00", "0.30", "6.90"),
    ],
)
def test_a_sum_to_pay_in_cash_is_the_nearest_number_of_coins(amount: str, step: str, paid: str) -> None:
    assert str(cash_amount(Decimal(amount), Decimal(step), 2)) == paid
