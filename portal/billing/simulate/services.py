"""Read the services of a contract from an input document."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from portal.billing.engine import (
    ContractTerms,
    Due,
    Overflow,
    PriceChange,
    Rollover,
    Rollup,
    ServiceTerms,
    Settlement,
    VatCategory,
    VatRate,
)
from portal.billing.simulate.dialect import Dialect
from portal.billing.simulate.fields import Fields, Scalar, Written, boolean, choice, day, integer, rate, reference, text
from portal.durations import Rounding, RoundingMode
from portal.schedules import Schedule

SERVICE = (
    "name", "settlement", "rollup", "taxable", "effective_start", "rounding",
    "overflow", "overage_rate", "fee", "included_minutes", "due",
)  # fmt: skip
SERVICE_EXTENDED = ("changes", "rollover", "included_from", "tasks", "schedule")
ROUNDING, ROUNDING_EXTENDED = ("minimum", "increment", "mode"), ("per",)
PRICES = ("fee", "included_minutes", "overage_rate")
"""The keys of a service that a price change may change."""

TAKEN: dict[Settlement, tuple[str, ...]] = {
    Settlement.TIME_SPENT: (),
    Settlement.VOUCHER: ("overflow", "overage_rate", "changes", "included_from"),
    Settlement.SUBSCRIPTION: (
        "overflow", "overage_rate", "fee", "included_minutes", "due", "changes", "rollover", "included_from",
    ),
}  # fmt: skip
"""The keys of a service that each settlement allows, besides the keys that all settlements allow."""

OPTIONAL = ("overage_rate", *SERVICE_EXTENDED)
"""The keys of a service that no settlement requires."""

NOT_TAXABLE = VatRate(VatCategory.EXEMPT, Written("0"))


@dataclass(frozen=True, slots=True)
class Offer:
    """What the functions that read vouchers and entries need to know about a service.

    `settlement` and `taxable` are None if they could not be read. `rounding` is the rounding rule for single entries;
    if the service rounds by day, this rule leaves minutes unchanged. `schedule` is None if the service has no factors
    or prices by time of day. `fixed_fees` has every task of the service with its fixed fee, or None for a task that is
    priced by the hour.
    """

    settlement: Settlement | None
    taxable: bool | None
    rounding: Rounding = field(default_factory=Rounding)
    fixed_fees: dict[str, Decimal | None] = field(default_factory=dict)
    schedule: Schedule | None = None


@dataclass(slots=True)
class Offers:
    """The contracts of a document, the names of the contracts, and the services by name.

    The name of a service is unique over all contracts. `vat` is the VAT rate of taxable services. `schedules` has the
    schedules by name.
    """

    dialect: Dialect
    vat: VatRate
    schedules: dict[str, Schedule]
    contracts: list[ContractTerms] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    services: dict[str, Offer] = field(default_factory=dict)


def read_services(contract: Fields, start: date | None, offers: Offers) -> tuple[ServiceTerms, ...]:
    """Return the services of a contract that starts on `start`, and add them to `offers`.

    Errors are added to `contract.errors`. `start` is None if the start of the contract could not be read.
    """
    keys = offers.dialect.keys(SERVICE, SERVICE_EXTENDED)
    fields = [Fields.of(contract.errors, place, value, keys) for place, value in contract.items("services")]
    services = tuple(_service(each, start, offers) for each in fields)
    for each, service in zip(fields, services, strict=True):
        _check_shared(each, service, {other.id: other for other in services}, offers)
    return services


def _service(fields: Fields, contract_start: date | None, offers: Offers) -> ServiceTerms:
    dialect = offers.dialect
    name = fields.take("name", text)
    settlement = fields.take("settlement", choice(Settlement))
    taxable = fields.get("taxable", boolean, True)
    rounding, by_day = _rounding(fields, dialect)
    fixed_fees = _tasks(fields, dialect)
    schedule = reference(fields, "schedule", offers.schedules) if fields.has("schedule") else None
    if fields.unique("name", name, offers.services):
        offers.services[name] = Offer(
            settlement,
            taxable,
            Rounding() if by_day else rounding,
            fixed_fees,
            offers.schedules.get(schedule or ""),
        )
    return ServiceTerms(
        id=name,
        name=name,
        settlement=settlement,
        rollup=fields.take("rollup", choice(Rollup)),
        vat=offers.vat if taxable else NOT_TAXABLE,
        effective_start=fields.get("effective_start", day, contract_start),
        day_rounding=rounding if by_day else None,
        **_of_settlement(fields, settlement, dialect),
    )


def _of_settlement(fields: Fields, settlement: Settlement | None, dialect: Dialect) -> dict[str, Any]:
    """Read the keys that only some settlements allow, and return them as arguments of `ServiceTerms`, by name.

    The result always has `changes`. Any other value that is missing or null is left out. Record an error for a missing
    value that `settlement` requires, and for a key that `settlement` does not allow. If `settlement` is None, because
    it could not be read, record no such errors.
    """
    scalars = _prices(dialect) | {"overflow": dialect.choice(Overflow), "due": choice(Due), "included_from": text}
    found: dict[str, Any] = {}
    for name, scalar in scalars.items():
        if settlement is None or name in OPTIONAL:
            found[name] = fields.get(name, scalar)
        elif name in TAKEN[settlement]:
            found[name] = fields.take(name, scalar)
    if settlement is not None:
        for name in {*scalars, "changes", "rollover"} - set(TAKEN[settlement]):
            if fields.has(name):
                fields.wrong(name, f"not for the settlement {settlement}")
    found["shares"] = found.pop("included_from")
    found["rollover"] = _rollover(fields)
    terms = {name: value for name, value in found.items() if value is not None}
    return terms | {"changes": _changes(fields, settlement, terms, dialect)}


def _prices(dialect: Dialect) -> dict[str, Scalar[Any]]:
    return {"fee": dialect.money, "included_minutes": integer(0), "overage_rate": rate}


def _rounding(fields: Fields, dialect: Dialect) -> tuple[Rounding, bool]:
    """Return the rounding rule of a service, and whether the rule applies to the sum of a day instead of each entry.

    A service without a rule gets `Rounding()`, which changes nothing.
    """
    if not fields.has("rounding"):
        return Rounding(), False
    inner = fields.inner("rounding", dialect.keys(ROUNDING, ROUNDING_EXTENDED))
    rule = Rounding(
        inner.get("minimum", integer(0), 0),
        inner.get("increment", integer(1), 1),
        inner.get("mode", choice(RoundingMode), RoundingMode.UP),
    )
    per = inner.get("per", text, "entry")
    if per not in ("entry", "day", None):
        inner.wrong("per", "not one of entry, day")
    return rule, per == "day"


def _rollover(fields: Fields) -> Rollover | None:
    if not fields.has("rollover"):
        return None
    inner = fields.inner("rollover", ("periods", "cap", "from"))
    return Rollover(inner.take("periods", integer(1)), inner.get("cap", integer(0)), inner.get("from", day))


def _changes(
    fields: Fields, settlement: Settlement | None, terms: dict[str, Any], dialect: Dialect
) -> tuple[PriceChange, ...]:
    """Return the price changes of a service, ordered by day.

    Values that a change leaves out stay as they were before. Record an error for a second change from the same day, and
    for a change without any value.
    """
    taken = [name for name in PRICES if settlement is None or name in TAKEN[settlement]]
    found: dict[date, dict[str, Any]] = {}
    for place, value in fields.items("changes", required=False):
        change = Fields.of(fields.errors, place, value, ("from", *taken))
        starts = change.take("from", day)
        if starts in found:
            change.wrong("from", "a second change from this day")
        found[starts] = {name: change.get(name, _prices(dialect)[name]) for name in taken if change.has(name)}
        if not found[starts] and change.has("from"):
            fields.errors.add(place, "changes nothing")
    now: dict[str, Any] = {"fee": Decimal(0), "included_minutes": 0, "overage_rate": None}
    now |= {name: terms[name] for name in PRICES if name in terms}
    changes = []
    for starts in sorted(starts for starts in found if starts is not None):
        now = now | found[starts]
        changes.append(PriceChange(starts, **now))
    return tuple(changes)


def _tasks(fields: Fields, dialect: Dialect) -> dict[str, Decimal | None]:
    """Return the fixed fee of each task of a service, by the name of the task; None for a task priced by the hour."""
    found: dict[str, Decimal | None] = {}
    for place, value in fields.items("tasks", required=False):
        task = Fields.of(fields.errors, place, value, ("name", "fixed_fee"))
        name = task.take("name", text)
        fee = task.get("fixed_fee", dialect.money)
        if task.unique("name", name, found):
            found[name] = fee
    return found


def _check_shared(fields: Fields, service: ServiceTerms, services: dict[Any, ServiceTerms], offers: Offers) -> None:
    """Record an error if `service` cannot share the included minutes of the service `service.shares`.

    The service `service.shares` must be another subscription of the same contract. Either both services must be
    taxable, or neither.
    """
    if service.shares is None:
        return
    other = services.get(service.shares)
    if other is None:
        fields.wrong("included_from", "not a service of this contract")
    elif other is service or other.settlement not in (Settlement.SUBSCRIPTION, None):
        fields.wrong("included_from", "not another service with the settlement subscription")
    elif (other.vat == NOT_TAXABLE) != (service.vat == NOT_TAXABLE):
        fields.wrong("included_from", "they differ in taxable")
