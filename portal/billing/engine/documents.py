"""Sum the lines of a document: net, VAT and gross.

VAT is computed on the sum of the lines with the same category and rate, never on a single line (D41).
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from portal.billing.engine.terms import Key, VatRate
from portal.billing.engine.values import Allocation, Document, Line, VatGroup
from portal.billing.engine.words import DocumentKind
from portal.money import percent_of, total


def document_of(
    kind: DocumentKind,
    contract: Key,
    until: date,
    detail: Iterable[Key],
    allocations: Iterable[Allocation],
    lines: Iterable[Line],
    digits: int,
) -> Document:
    """Return the document with these entries, allocations and lines, and with their sums.

    `digits` is the number of decimals of the currency.
    """
    lines = tuple(lines)
    groups = vat_groups(lines, digits)
    net = total((line.net for line in lines), digits)
    tax = total((group.tax for group in groups), digits)
    gross = total((net, tax), digits)
    return Document(kind, contract, until, tuple(detail), tuple(allocations), lines, groups, net, tax, gross)


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
