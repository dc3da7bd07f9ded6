"""No grouping: a line for each entry, covered and no-charge ones at 0.00, under its external comment (S0.17)."""

from collections.abc import Iterator, Sequence

from portal.billing.engine.rollups.lines import Work, time_line
from portal.billing.engine.values import Line, Service


def lines(service: Service, work: Sequence[Work], digits: int) -> Iterator[Line]:
    """One line per entry, in the order of entries."""
    for done in work:
        yield time_line(service, done.entry.external_comment, [done], done.allocations, digits)
