"""Choose the quantity that is printed beside a unit price (D6)."""

from decimal import Decimal
from fractions import Fraction

from portal.money import divide_half_up, round_half_up

FEWEST, MOST = 2, 12
"""The minimum and maximum number of decimals of a printed quantity."""


def printed_hours(minutes: int, unit_price: Decimal | None, net: Decimal, digits: int) -> Decimal:
    """Return the hours to print, so that `hours x unit_price` rounds to `net`. Use as few decimals as possible.

    PEPPOL-EN16931-R120 requires that the quantity times the price is the amount. The true hours may violate this rule,
    because the amount of each entry is rounded to the cent on its own. For example, three entries of 20 min at 100.00
    per hour cost 33.33 each, 99.99 in all, so 0.9999 h are printed instead of 1 h. The result has `FEWEST` to `MOST`
    decimals. If `unit_price` is None, return the true hours, rounded to four decimals. Raise `ValueError` if no number
    of hours fulfils the rule.
    """
    if unit_price is None:
        return divide_half_up(Decimal(minutes), 60, 4)
    for decimals in range(FEWEST, MOST + 1):
        hours = divide_half_up(Decimal(minutes), 60, decimals)
        if round_half_up(hours * unit_price, digits) == net:
            return hours
    for decimals in range(FEWEST, MOST + 1):
        hours = _rounded(Fraction(net) / Fraction(unit_price), decimals)
        if round_half_up(hours * unit_price, digits) == net:
            return hours
    raise ValueError(f"no quantity reproduces {net} at {unit_price}")


def _rounded(value: Fraction, decimals: int) -> Decimal:
    return divide_half_up(Decimal(value.numerator), value.denominator, decimals)
