"""Find the hourly price of an entry (D17, D18, D19).

The order of precedence is: the entry's own hourly rate, the rates of a schedule, the service's overage rate, and last
the most specific rate.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from datetime import date

from portal.billing.engine.terms import Key, Price, RateTerms, ServiceTerms
from portal.billing.engine.values import Entry
from portal.billing.engine.words import RateSource
from portal.words import Settlement

SCOPES: dict[frozenset[str], RateSource] = {
    frozenset({"service", "agent"}): RateSource.SERVICE_AGENT,
    frozenset({"service", "role"}): RateSource.SERVICE_ROLE,
    frozenset({"service"}): RateSource.SERVICE,
    frozenset({"customer", "role"}): RateSource.CUSTOMER_ROLE,
    frozenset({"customer"}): RateSource.CUSTOMER,
    frozenset({"role"}): RateSource.ROLE,
}
"""The scopes of rates by precedence, the highest first, each with the source that an approval records for it.

A scope is the set of the fields of a rate that are set.
"""

_Target = tuple[frozenset[str], Key | None, Key | None, Key | None]
"""A scope, and the ids of the service, the agent and the role; None for a field that is not set."""


def scope_of(rate: RateTerms) -> frozenset[str]:
    """Return the scope of `rate`: the names of its fields that are set.

    A rate whose scope is not in `SCOPES` applies to no entry.
    """
    named = {"service": rate.service, "agent": rate.agent, "role": rate.role, "customer": rate.customer or None}
    return frozenset(name for name, value in named.items() if value is not None)


def _target(scope: frozenset[str], of: RateTerms | Entry) -> _Target:
    service, agent, role = (getattr(of, name) if name in scope else None for name in ("service", "agent", "role"))
    return scope, service, agent, role


class RateTable:
    """The hourly rates of one customer in one currency, indexed so that a look-up does not scan all rates.

    Building the table sorts the rates once; each look-up takes a few dictionary accesses and one binary search.
    """

    def __init__(self, rates: Iterable[RateTerms] = ()) -> None:
        histories: dict[_Target, list[RateTerms]] = defaultdict(list)
        for rate in rates:
            histories[_target(scope_of(rate), rate)].append(rate)
        self._histories: dict[_Target, tuple[list[date], list[RateTerms]]] = {}
        for target, history in histories.items():
            history.sort(key=lambda rate: rate.starts)
            self._histories[target] = [rate.starts for rate in history], history

    def price(self, entry: Entry) -> Price | None:
        """Return the price of the most specific rate in force on the day of `entry`, or None if no rate applies."""
        for scope, source in SCOPES.items():
            starts, history = self._histories.get(_target(scope, entry), ((), ()))
            if number := bisect_right(starts, entry.date):
                return Price(history[number - 1].hourly_rate, source, history[number - 1].id)
        return None


def price_for(entry: Entry, service: ServiceTerms, rates: RateTable) -> Price | None:
    """Return the price of a charged hour of `entry`, or None if no rate applies.

    The entry's own hourly rate applies to all its minutes. Any other price applies to the minutes for which the
    schedule has no rate. If the schedule has a rate for every minute and no other rate applies, return the schedule's
    rate for the last minute. An entry that needs a price and has none cannot be approved.
    """
    if entry.hourly_rate is not None:
        return Price(entry.hourly_rate, RateSource.ENTRY)
    overage_rate = service.at(entry.date).overage_rate
    if overage_rate is not None and service.settlement is not Settlement.TIME_SPENT:
        return Price(overage_rate, RateSource.OVERAGE)
    return rates.price(entry) or _of_schedule(entry)


def _of_schedule(entry: Entry) -> Price | None:
    rates = [stretch.hourly_rate for stretch in entry.stretches if stretch.hourly_rate is not None]
    return Price(rates[-1], RateSource.SCHEDULE) if rates and len(rates) == len(entry.stretches) else None
