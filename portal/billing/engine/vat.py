"""Compute VAT on the sum of the lines of each rate, never on single lines (D41)."""

from collections.abc import Iterable
from decimal import Decimal

from portal.billing.engine.values import Line, VatGroup, VatRate
from portal.money import percent_of, total


def vat_groups(lines: Iterable[Line], digits: int) -> tuple[VatGroup, ...]:
    """Return the VAT of each category and rate, ordered by category and rate, even if the sum of the lines is 0.00.

    Rates that are equal as numbers form one group, whose rate is written as on the first line of the group.
    """
    groups: dict[VatRate, list[Decimal]] = {}
    for line in lines:
        groups.setdefault(line.vat, []).append(line.net)
    return tuple(
        VatGroup(vat, base := total(groups[vat], digits), percent_of(base, vat.rate, digits))
        for vat in sorted(groups, key=lambda vat: (vat.category, vat.rate))
    )
