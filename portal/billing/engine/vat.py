"""Tax per rate group, never per line (D41)."""

from collections.abc import Iterable
from decimal import Decimal

from portal.billing.engine.values import Line, VatGroup, VatRate
from portal.money import percent_of, total


def vat_groups(lines: Iterable[Line], digits: int) -> tuple[VatGroup, ...]:
    """A group per category and rate, ordered by them, on the sum of its lines, also where that is 0.00.

    Rates that are equal as numbers make one group, written as in its first line.
    """
    groups: dict[VatRate, list[Decimal]] = {}
    for line in lines:
        groups.setdefault(line.vat, []).append(line.net)
    return tuple(
        VatGroup(vat, base := total(groups[vat], digits), percent_of(base, vat.rate, digits))
        for vat in sorted(groups, key=lambda vat: (vat.category, vat.rate))
    )
