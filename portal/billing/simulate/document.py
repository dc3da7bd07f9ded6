"""Read an input document as values of the engine, or report its first error in document order."""

from collections.abc import Container
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from portal.billing.engine import BillingState, Entry, EntryBilling, RateTable, RateTerms, Settlement, Voucher
from portal.billing.engine.rates import SCOPES
from portal.billing.simulate.contracts import Offer, read_contracts, read_vat
from portal.billing.simulate.errors import Errors, Location
from portal.billing.simulate.fields import Fields, boolean, choice, day, instant, integer, money, rate, take, text

TOP = ("currency", "vat", "rates", "contracts", "vouchers", "entries", "steps")
RATE = ("service", "agent", "role", "customer", "hourly_rate", "from")
VOUCHER = ("id", "services", "minutes", "price", "sold", "valid_from", "valid_until")
ENTRY = (
    "id", "service", "agent", "role", "date", "created", "actual_minutes",
    "billing", "billable_minutes", "hourly_rate", "external_comment",
)  # fmt: skip


class Verb(StrEnum):
    """What a step of the document does."""

    APPROVE = "approve"
    WITHDRAW = "withdraw"
    RELEASE = "release"
    BILL = "bill"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what to do (`verb`), and the ids of the entries to do it to.

    A step with the verb `bill` has no entries; it bills the days before `until`.
    """

    verb: Verb
    entries: tuple[str, ...] = ()
    until: date = date.min


@dataclass(frozen=True, slots=True)
class Input:
    """The values of a whole input document."""

    state: BillingState
    rates: RateTable
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Logged:
    """A time entry as read, before its minutes are rounded by the rule of its service.

    `actual_minutes` is None if the document gives the billable minutes themselves.
    """

    entry: Entry
    service: str
    actual_minutes: int | None

    def counted(self, services: dict[str, Offer]) -> Entry:
        """Return the entry with its billable minutes; `services` holds the services of the document by name."""
        if self.actual_minutes is None:
            return self.entry
        return replace(self.entry, billable_minutes=services[self.service].rounding.apply(self.actual_minutes))


def read(document: object) -> Input:
    """Return the values of a parsed JSON document. Raise `BadDocument` for its first error in document order.

    Contracts, services and entries are read before the references to them, in whatever order the document has them; the
    errors are sorted into document order at the end.
    """
    errors = Errors()
    top = Fields.of(errors, Location(), document, TOP)
    top.take("currency", text)
    offers = read_contracts(top, read_vat(top))
    services = offers.services
    rates = _rates(top, services)
    vouchers = _vouchers(top, services)
    logged = _entries(top, services)
    steps = _steps(top, {worked.entry.id for worked in logged})
    errors.raise_first()
    entries = tuple(worked.counted(services) for worked in logged)
    return Input(BillingState(tuple(offers.contracts), vouchers, entries), RateTable(rates), steps)


def _rates(top: Fields, services: dict[str, Offer]) -> tuple[RateTerms, ...]:
    found: list[RateTerms] = []
    seen: set[tuple[object, ...]] = set()
    for place, value in top.items("rates", required=False):
        fields = Fields.of(top.errors, place, value, RATE)
        one = RateTerms(
            hourly_rate=fields.take("hourly_rate", rate),
            starts=fields.take("from", day),
            service=_reference(fields, "service", services) if fields.has("service") else None,
            agent=fields.get("agent", text),
            role=fields.get("role", text),
            customer=fields.get("customer", boolean, False),
        )
        _check_scope(fields, one, seen)
        found.append(one)
    return tuple(found)


def _check_scope(fields: Fields, one: RateTerms, seen: set[tuple[object, ...]]) -> None:
    """Record an error if the fields of a rate form no known scope, or if a rate before it has the same scope and day (D18)."""
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


def _vouchers(top: Fields, services: dict[str, Offer]) -> tuple[Voucher, ...]:
    found: dict[str, Voucher] = {}
    for place, value in top.items("vouchers", required=False):
        fields = Fields.of(top.errors, place, value, VOUCHER)
        id = fields.take("id", text)
        fields.unique("id", id, found)
        sold, valid_from, valid_until = (fields.take(name, day) for name in ("sold", "valid_from", "valid_until"))
        if sold and valid_from and valid_from < sold:
            fields.wrong("valid_from", "before sold")
        if valid_from and valid_until and valid_until <= valid_from:
            fields.wrong("valid_until", "on or before valid_from")
        minutes, price = fields.take("minutes", integer(0)), fields.take("price", money)
        usable = _usable_for(fields, services)
        found[id] = Voucher(id, id, usable, minutes, price, sold, valid_from, valid_until)
    return tuple(found.values())


def _usable_for(fields: Fields, services: dict[str, Offer]) -> tuple[str, ...]:
    """Return the names of the services of a voucher.

    Record an error if there is none, if one is settled by time spent, or if they differ in whether they are taxable.
    """
    usable = _references(fields, "services", services)
    if fields.is_empty_list("services"):
        fields.wrong("services", "a voucher needs a service")
    for place, name in usable:
        if services[name].settlement is Settlement.TIME_SPENT:
            fields.errors.add(place, "a voucher cannot be used for the settlement time_spent")
    if len({services[name].taxable for _, name in usable} - {None}) > 1:
        fields.wrong("services", "they differ in taxable")
    return tuple(name for _, name in usable)


def _entries(top: Fields, services: dict[str, Offer]) -> list[Logged]:
    found: list[Logged] = []
    seen: set[str] = set()
    for place, value in top.items("entries", required=False):
        fields = Fields.of(top.errors, place, value, ENTRY)
        id = fields.take("id", text)
        if fields.unique("id", id, seen):
            seen.add(id)
        service, agent, role = (
            _reference(fields, "service", services),
            fields.take("agent", text),
            fields.take("role", text),
        )
        actual, counted = fields.take("actual_minutes", integer(1)), fields.get("billable_minutes", integer(0))
        entry = Entry(
            id=id,
            service=service,
            agent=agent,
            agent_name=agent,
            role=role,
            role_name=role,
            date=fields.take("date", day),
            created=fields.take("created", instant),
            billing=fields.take("billing", choice(EntryBilling)),
            billable_minutes=counted,
            hourly_rate=fields.get("hourly_rate", rate),
            external_comment=fields.get("external_comment", text, ""),
        )
        found.append(Logged(entry, service, actual if counted is None else None))
    return found


def _steps(top: Fields, entries: Container[object]) -> tuple[Step, ...]:
    found = []
    for place, value in top.items("steps", required=False):
        fields = Fields.of(top.errors, place, value, tuple(Verb))
        if fields.count() != 1:
            top.errors.add(place, "not exactly one step")
            continue
        verb = next((verb for verb in Verb if fields.has(verb)), None)
        if verb is Verb.BILL:
            found.append(Step(verb, until=fields.inner(verb, ("until",)).take("until", day)))
        elif verb is not None:
            found.append(Step(verb, tuple(id for _, id in _references(fields, verb, entries))))
    return tuple(found)


def _reference(fields: Fields, name: str, known: Container[object]) -> str:
    found: str = fields.take(name, text)
    if found is not None and found not in known:
        fields.wrong(name, "unknown")
    return found


def _references(fields: Fields, name: str, known: Container[object]) -> list[tuple[Location, str]]:
    """Return the known ids of a required list, each with its location; record an error for unknown and repeated ids."""
    found: dict[str, Location] = {}
    for place, value in fields.items(name):
        id = take(fields.errors, place, value, text)
        if id in found:
            fields.errors.add(place, "appears twice")
        elif id is not None and id not in known:
            fields.errors.add(place, "unknown")
        elif id is not None:
            found[id] = place
    return [(place, id) for id, place in found.items()]
