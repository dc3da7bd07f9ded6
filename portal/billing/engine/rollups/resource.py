"""By resource: a line for each agent with charged time."""

from collections.abc import Iterator, Sequence

from portal.billing.engine.rollups.lines import Work, grouped
from portal.billing.engine.values import Line, Service


def lines(service: Service, work: Sequence[Work], digits: int) -> Iterator[Line]:
    """One line per agent, ordered by its name."""
    return grouped(service, work, lambda entry: (entry.agent_name, entry.agent), digits)
