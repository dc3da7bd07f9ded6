"""The rollup `none`: each entry gets its own line with its external comment, at 0.00 if nothing is charged (S0.17)."""

from collections.abc import Iterator, Sequence

from portal.billing.engine.rollups.lines import Work, time_line
from portal.billing.engine.terms import ServiceTerms
from portal.billing.engine.values import Line


def lines(service: ServiceTerms, work: Sequence[Work], digits: int) -> Iterator[Line]:
    """Yield one line for each entry, in the order of entries."""
    for done in work:
        yield time_line(service, done.entry.external_comment, [done], done.allocations, digits)
