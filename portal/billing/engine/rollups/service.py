"""The rollup by service: all charged time of the service gets one line, without external comments (S0.18)."""

from collections.abc import Iterator, Sequence

from portal.billing.engine.rollups.lines import Work, grouped
from portal.billing.engine.terms import ServiceTerms
from portal.billing.engine.values import Line


def lines(service: ServiceTerms, work: Sequence[Work], digits: int) -> Iterator[Line]:
    """Yield one line for the service, or no line if nothing is charged."""
    return grouped(service, work, lambda entry: (service.name, service.id), digits)
