"""By role: a line for each role with charged time."""

from collections.abc import Iterator, Sequence

from portal.billing.engine.rollups.lines import Work, grouped
from portal.billing.engine.values import Line, Service


def lines(service: Service, work: Sequence[Work], digits: int) -> Iterator[Line]:
    """One line per role, ordered by its name."""
    return grouped(service, work, lambda entry: (entry.role_name, entry.role), digits)
