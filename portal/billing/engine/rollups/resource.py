"""The rollup by resource: each agent with charged time gets one line."""

from collections.abc import Iterator, Sequence

from portal.billing.engine.rollups.lines import Work, grouped
from portal.billing.engine.terms import ServiceTerms
from portal.billing.engine.values import Line


def lines(service: ServiceTerms, work: Sequence[Work], digits: int) -> Iterator[Line]:
    """Yield one line for each agent with charged time, ordered by name."""
    return grouped(service, work, lambda entry: (entry.agent_name, entry.agent), digits)
