"""Read an input document as values of the engine, or report its first error in document order."""

from dataclasses import dataclass
from decimal import Decimal

from portal.billing.engine import BillingState, RateTable, RateTerms, Settlement, Voucher
from portal.billing.engine.rates import SCOPES
from portal.billing.simulate.contracts import read_contracts
from portal.billing.simulate.dialect import Dialect, is_extended, read_dialect
from portal.billing.simulate.entries import Logged, read_entries
from portal.billing.simulate.errors import Errors, Location
from portal.billing.simulate.fields import Fields, boolean, day, integer, rate, reference, references, text
from portal.billing.simulate.schedules import read_schedules
from portal.billing.simulate.services import Offer
from portal.billing.simulate.steps import Step, read_steps

TOP = ("currency", "vat", "rates", "contracts", "vouchers", "entries", "steps", "extended")
TOP_EXTENDED = ("schedules", "cash_rounding")
RATE = ("service", "agent", "role", "customer", "hourly_rate", "from")
VOUCHER = ("id", "services", "minutes", "price", "sold", "valid_from", "valid_until")


@dataclass(frozen=True, slots=True)
class Input:
    """The values of a whole input document.

    `logged` and `services` tell how the minutes of the entries were counted. `cash_rounding` is the smallest coin, to
    which the sums to pay are rounded, or None if they are not rounded.
    """

    dialect: Dialect
    state: BillingState
    rates: RateTable
    steps: tuple[Step, ...]
    logged: tuple[Logged, ...]
    services: dict[str, Offer]
    cash_rounding: Decimal | None


def read(document: object) -> Input:
    """Return the values of a parsed JSON document. Raise `BadDocument` for its first error in document order.

    Contracts, services and entries are read before the values that refer to them, whatever their order in the document.
    At the end, the errors are sorted into document order.
    """
    errors = Errors()
    top = Fields.of(errors, Location(), document, TOP + TOP_EXTENDED if is_extended(document) else TOP)
    dialect = read_dialect(top)
    offers = read_contracts(top, dialect, read_schedules(top) if dialect.extended else {})
    services = offers.services
    rates = _rates(top, services)
    vouchers = _vouchers(top, services, dialect)
    logged = read_entries(top, offers)
    cash_rounding = _cash_rounding(top, dialect)
    steps = read_steps(top, {worked.entry.id for worked in logged}, {voucher.id for voucher in vouchers}, offers)
    errors.raise_first()
    entries = tuple(worked.counted(services) for worked in logged)
    state = BillingState(tuple(offers.contracts), vouchers, entries, digits=dialect.digits)
    return Input(dialect, state, RateTable(rates), steps, tuple(logged), services, cash_rounding)


def _cash_rounding(top: Fields, dialect: Dialect) -> Decimal | None:
    if not dialect.extended:
        return None
    step: Decimal | None = top.get("cash_rounding", dialect.money)
    if step is not None and not step:
        top.wrong("cash_rounding", "zero")
    return step


def _rates(top: Fields, services: dict[str, Offer]) -> tuple[RateTerms, ...]:
    found: list[RateTerms] = []
    seen: set[tuple[object, ...]] = set()
    for place, value in top.items("rates", required=False):
        fields = Fields.of(top.errors, place, value, RATE)
        one = RateTerms(
            hourly_rate=fields.take("hourly_rate", rate),
            starts=fields.take("from", day),
            service=reference(fields, "service", services) if fields.has("service") else None,
            agent=fields.get("agent", text),
            role=fields.get("role", text),
            customer=fields.get("customer", boolean, False),
        )
        _check_scope(fields, one, seen)
        found.append(one)
    return tuple(found)


def _check_scope(fields: Fields, one: RateTerms, seen: set[tuple[object, ...]]) -> None:
    """Record an error if the fields of a rate form no known scope, or if an earlier rate has the same scope and day.

    D18 lists the known scopes; a rate with `"customer": false` has none of them. `seen` has the scope and the day of
    each earlier rate, and the scope and the day of this rate are added to it.
    """
    named = frozenset(name for name in ("service", "agent", "role", "customer") if fields.has(name))
    if named not in SCOPES or ("customer" in named and one.customer is False):
        fields.errors.add(fields.place, "not exactly one of the scopes of rates")
        return
    key = (one.service, one.agent, one.role, one.customer, one.starts)
    readable = one.starts is not None and all(getattr(one, name) is not None for name in named)
    if readable and key in seen:
        fields.errors.add(fields.place, "a second rate of this scope and from")
    if readable:
        seen.add(key)


def _vouchers(top: Fields, services: dict[str, Offer], dialect: Dialect) -> tuple[Voucher, ...]:
    found: dict[str, Voucher] = {}
    for place, value in top.items("vouchers", required=False):
        fields = Fields.of(top.errors, place, value, VOUCHER)
        id = fields.take("id", text)
        fields.unique("id", id, found)
        sold, valid_from = fields.take("sold", day), fields.take("valid_from", day)
        valid_until = (fields.get if dialect.extended else fields.take)("valid_until", day)
        if sold and valid_from and valid_from < sold:
            fields.wrong("valid_from", "before sold")
        if valid_from and valid_until and valid_until <= valid_from:
            fields.wrong("valid_until", "on or before valid_from")
        minutes, price = fields.take("minutes", integer(0)), fields.take("price", dialect.money)
        usable = _usable_for(fields, services)
        found[id] = Voucher(id, id, usable, minutes, price, sold, valid_from, valid_until)
    return tuple(found.values())


def _usable_for(fields: Fields, services: dict[str, Offer]) -> tuple[str, ...]:
    """Return the names of the services for which a voucher can be used.

    Record an error if the voucher names no service or an unknown service, if the settlement of a service is time spent,
    or if only some of the services are taxable.
    """
    usable = references(fields, "services", services)
    if fields.is_empty_list("services"):
        fields.wrong("services", "a voucher needs a service")
    for place, name in usable:
        if services[name].settlement is Settlement.TIME_SPENT:
            fields.errors.add(place, "a voucher cannot be used for the settlement time_spent")
    if len({services[name].taxable for _, name in usable} - {None}) > 1:
        fields.wrong("services", "they differ in taxable")
    return tuple(name for _, name in usable)
