"""Which price an entry has: its own, else the overage rate of its service, else the most specific rate (D17, D18, D19)."""

from collections.abc import Callable, Iterable

from portal.billing.engine.values import Entry, Price, Rate, Service
from portal.billing.engine.words import RateSource, Settlement

SCOPES: dict[frozenset[str], RateSource] = {
    frozenset({"service", "agent"}): RateSource.SERVICE_AGENT,
    frozenset({"service", "role"}): RateSource.SERVICE_ROLE,
    frozenset({"service"}): RateSource.SERVICE,
    frozenset({"customer", "role"}): RateSource.CUSTOMER_ROLE,
    frozenset({"customer"}): RateSource.CUSTOMER,
    frozenset({"role"}): RateSource.ROLE,
}
"""Which fields of a rate are set, and what that scope is called; in the order in which they win."""

_FITS: dict[str, Callable[[Rate, Entry], bool]] = {
    "service": lambda rate, entry: rate.service == entry.service,
    "agent": lambda rate, entry: rate.agent == entry.agent,
    "role": lambda rate, entry: rate.role == entry.role,
    "customer": lambda rate, entry: True,
}


def scope_of(rate: Rate) -> frozenset[str]:
    """The names of the fields that make its scope; a scope that is not in `SCOPES` prices nothing."""
    named = {"service": rate.service, "agent": rate.agent, "role": rate.role, "customer": rate.customer or None}
    return frozenset(name for name, value in named.items() if value is not None)


def price_for(entry: Entry, service: Service, rates: Iterable[Rate]) -> Price | None:
    """The price of an hour of `entry` where it is charged, or None: then it cannot be approved, and is not billed at 0.

    What is charged on a service of vouchers or a subscription always lies beyond them, so its overage rate goes before
    the rates. `rates` are those that concern the customer, in the contract's currency.
    """
    if entry.hourly_rate is not None:
        return Price(entry.hourly_rate, RateSource.ENTRY)
    if service.overage_rate is not None and service.settlement is not Settlement.TIME_SPENT:
        return Price(service.overage_rate, RateSource.OVERAGE)
    fitting: dict[frozenset[str], Rate] = {}
    for rate in rates:
        scope = scope_of(rate)
        if rate.starts <= entry.date and all(_FITS[name](rate, entry) for name in scope):
            fitting[scope] = max(fitting.get(scope, rate), rate, key=lambda rate: rate.starts)
    for scope, source in SCOPES.items():
        if scope in fitting:
            return Price(fitting[scope].hourly_rate, source, fitting[scope].id)
    return None
