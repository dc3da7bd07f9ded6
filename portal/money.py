"""Calculate, round and read money: `Decimal` with the decimals of its currency. No other module rounds money.

Money is rounded half away from zero, so that a credit mirrors its charge.

Every calculation is exact until its only rounding: the default context of `decimal` would cut at 28 digits, and a
division followed by a rounding would round twice. No floats are used (D1, D41).
"""

import re
from collections.abc import Iterable
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from functools import lru_cache

EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""A context that adds and multiplies without losing a digit. Never divide in it: 1/3 would fill the memory."""

_DIGITS = {0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF", 3: "BHD IQD JOD KWD LYD OMR TND"}
_OTHER_THAN_TWO = {code: digits for digits, codes in _DIGITS.items() for code in codes.split()}

LARGEST = Decimal("999999999999.999")
"""The maximum amount that a `numeric(15,3)` column holds."""

_NUMBER = re.compile(r"(-?)([0-9]+)(?:[.,]([0-9]+))?")


def digits_of(currency: str) -> int:
    """Return how many decimals a currency (ISO 4217 code) has: 2 unless `_OTHER_THAN_TWO` lists it."""
    return _OTHER_THAN_TWO.get(currency, 2)


def divide_half_up(value: Decimal, divisor: int, digits: int) -> Decimal:
    """Return `value / divisor` rounded to `digits` decimals, half away from zero, so that credits mirror charges (D41)."""
    numerator, denominator = value.as_integer_ratio()
    doubled = 2 * denominator * divisor
    units = (2 * abs(numerator) * 10**digits + denominator * divisor) // doubled
    return EXACT.scaleb(Decimal(-units if numerator < 0 else units), -digits)


def round_half_up(value: Decimal, digits: int) -> Decimal:
    """Return `value` with exactly `digits` decimals, rounded half away from zero."""
    return divide_half_up(value, 1, digits)


@lru_cache(10_000)
def hourly_amount(minutes: int, hourly_rate: Decimal, digits: int) -> Decimal:
    """Return the price of `minutes` at `hourly_rate`, calculated from minutes and never from rounded hours (D6).

    Many time entries have the same minutes and the same rate, so results are cached.
    """
    return divide_half_up(EXACT.multiply(hourly_rate, Decimal(minutes)), 60, digits)


def total(amounts: Iterable[Decimal], digits: int) -> Decimal:
    """Return the sum of the amounts with `digits` decimals; 0 if there are none.

    The sum is calculated exactly. It is rounded at the end, which changes it only if an amount has more decimals.
    """
    result = Decimal(0)
    for amount in amounts:
        result = EXACT.add(result, amount)
    return round_half_up(result, digits)


def percent_of(base: Decimal, percent: Decimal, digits: int) -> Decimal:
    """Return `percent` per cent of `base` with `digits` decimals, such as the tax for one tax rate (D41)."""
    return divide_half_up(EXACT.multiply(base, percent), 100, digits)


def cash_amount(amount: Decimal, step: Decimal, digits: int) -> Decimal:
    """Return the multiple of `step` that is nearest to `amount`; if two are equally near, the one further from zero.

    For example, CHF 12.33 with the step 0.05 becomes CHF 12.35.
    """
    numerator, denominator = step.as_integer_ratio()
    steps = divide_half_up(EXACT.multiply(amount, denominator), numerator, 0)
    return round_half_up(EXACT.multiply(steps, step), digits)


def parse_money(text: str, digits: int, *, largest: Decimal = LARGEST) -> Decimal:
    """Return the amount that was typed as `1234.5` or `1234,50`, with `digits` decimals.

    Raise `ValueError`, with a message for the person who typed the text, if it is not a number, if the amount is
    negative or above `largest`, or if it has more than `digits` decimals. Thousands separators are refused, because
    `1,234` can be read in two ways.
    """
    example = "1234" + "." * bool(digits) + "50000"[:digits]
    match = _NUMBER.fullmatch(text.strip(" \u00a0"))
    if match is None:
        raise ValueError(f"Write an amount with digits only, such as {example}.")
    sign, whole, decimals = match.groups(default="")
    if len(decimals) > digits:
        limit = f"at most {digits}" if digits else "no"
        raise ValueError(f"Use {limit} decimals and no separator for thousands: write {example}.")
    value = round_half_up(Decimal(f"{whole}.{decimals or 0}"), digits)
    if value > largest:
        raise ValueError("This amount is too large.")
    if sign and value:
        raise ValueError("An amount cannot be negative.")
    return value
