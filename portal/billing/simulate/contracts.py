"""Read the VAT rate, the contracts and their services from an input document."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from portal.billing.engine import ContractTerms, Due, Overflow, Rollup, ServiceTerms, Settlement, VatCategory, VatRate
from portal.billing.simulate.fields import Fields, Written, boolean, choice, day, integer, money, rate, text
from portal.durations import Rounding, RoundingMode
from portal.periods import LAST_ANCHOR_DAY, Cycle

VAT = ("category", "rate")
CONTRACT = ("name", "start", "end", "cycle", "anchor", "services")
ROUNDING = ("minimum", "increment", "mode")
SERVICE = (
    "name", "settlement", "rollup", "taxable", "effective_start", "rounding",
    "overflow", "overage_rate", "fee", "included_minutes", "due",
)  # fmt: skip

OF_SETTLEMENT = {
    "overflow": choice(Overflow),
    "overage_rate": rate,
    "fee": money,
    "included_minutes": integer(0),
    "due": choice(Due),
}
"""The keys of a service that only some settlements take."""

TAKEN: dict[Settlement, tuple[str, ...]] = {
    Settlement.TIME_SPENT: (),
    Settlement.VOUCHER: ("overflow", "overage_rate"),
    Settlement.SUBSCRIPTION: tuple(OF_SETTLEMENT),
}
"""The keys of `OF_SETTLEMENT` that each settlement takes; all of them are required, except `overage_rate`."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What vouchers and entries need to know of the service that they name. None is a value that could not be read."""

    settlement: Settlement | None
    taxable: bool | None
    rounding: Rounding


@dataclass(slots=True)
class Offers:
    """All contracts of the document with their names, and its services by name, which is unique over all contracts."""

    contracts: list[ContractTerms] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    services: dict[str, Offer] = field(default_factory=dict)


NOT_TAXABLE = VatRate(VatCategory.EXEMPT, Written("0"))


def read_vat(top: Fields) -> VatRate:
    """Return the VAT rate of taxable services from the key `vat` of the document `top`."""
    fields = top.inner("vat", VAT)
    return VatRate(fields.take("category", choice(VatCategory)), fields.take("rate", rate))


def read_contracts(top: Fields, vat: VatRate) -> Offers:
    """Return every contract of the document `top` with its services, in the order of the document.

    `vat` is the VAT rate of taxable services. Errors are recorded in `top.errors`.
    """
    offers = Offers()
    for place, value in top.items("contracts"):
        offers.contracts.append(_contract(Fields.of(top.errors, place, value, CONTRACT), vat, offers))
    return offers


def _contract(fields: Fields, vat: VatRate, offers: Offers) -> ContractTerms:
    name = fields.take("name", text)
    if fields.unique("name", name, offers.names):
        offers.names.add(name)
    start, end, anchor = fields.take("start", day), fields.get("end", day), fields.take("anchor", day)
    if start and end and end <= start:
        fields.wrong("end", "on or before start")
    if anchor and anchor.day > LAST_ANCHOR_DAY:
        fields.wrong("anchor", f"its day is above {LAST_ANCHOR_DAY}")
    cycle = fields.take("cycle", choice(Cycle))
    services = tuple(
        _service(Fields.of(fields.errors, place, value, SERVICE), start, vat, offers)
        for place, value in fields.items("services")
    )
    return ContractTerms(name, name, start, end, cycle, anchor, services)


def _service(fields: Fields, contract_start: date | None, vat: VatRate, offers: Offers) -> ServiceTerms:
    name = fields.take("name", text)
    settlement = fields.take("settlement", choice(Settlement))
    taxable = fields.get("taxable", boolean, True)
    rounding = _rounding(fields)
    if fields.unique("name", name, offers.services):
        offers.services[name] = Offer(settlement, taxable, rounding)
    return ServiceTerms(
        id=name,
        name=name,
        settlement=settlement,
        rollup=fields.take("rollup", choice(Rollup)),
        vat=vat if taxable else NOT_TAXABLE,
        effective_start=fields.get("effective_start", day, contract_start),
        **_of_settlement(fields, settlement),
    )


def _of_settlement(fields: Fields, settlement: Settlement | None) -> dict[str, Any]:
    """Return the values of the keys that only some settlements take.

    Record an error for a key that `settlement` requires and that is missing or null, and for a key that it does not take.
    If the settlement could not be read (None), neither is an error.
    """
    found = {}
    for name, scalar in OF_SETTLEMENT.items():
        if settlement is None or name == "overage_rate":
            found[name] = fields.get(name, scalar)
        elif name in TAKEN[settlement]:
            found[name] = fields.take(name, scalar)
        if settlement is not None and name not in TAKEN[settlement] and fields.has(name):
            fields.wrong(name, f"not for the settlement {settlement}")
    return {name: value for name, value in found.items() if value is not None}


def _rounding(fields: Fields) -> Rounding:
    if not fields.has("rounding"):
        return Rounding()
    inner = fields.inner("rounding", ROUNDING)
    return Rounding(
        inner.get("minimum", integer(0), 0),
        inner.get("increment", integer(1), 1),
        inner.get("mode", choice(RoundingMode), RoundingMode.UP),
    )
