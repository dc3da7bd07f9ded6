"""Read the VAT rate and the contracts with their services from an input document."""

from portal.billing.engine import ContractTerms, VatCategory, VatRate
from portal.billing.simulate.dialect import Dialect
from portal.billing.simulate.fields import Fields, choice, day, rate, text
from portal.billing.simulate.services import Offers, read_services
from portal.periods import LAST_ANCHOR_DAY, Cycle
from portal.schedules import Schedule

VAT = ("category", "rate")
CONTRACT = ("name", "start", "end", "cycle", "anchor", "services")


def read_contracts(top: Fields, dialect: Dialect, schedules: dict[str, Schedule]) -> Offers:
    """Return every contract of the document `top` with its services, in the order of the document.

    The errors are added to `top.errors`.
    """
    offers = Offers(dialect, _vat(top), schedules)
    for place, value in top.items("contracts"):
        offers.contracts.append(_contract(Fields.of(top.errors, place, value, CONTRACT), offers))
    return offers


def _vat(top: Fields) -> VatRate:
    fields = top.inner("vat", VAT)
    return VatRate(fields.take("category", choice(VatCategory)), fields.take("rate", rate))


def _contract(fields: Fields, offers: Offers) -> ContractTerms:
    name = fields.take("name", text)
    if fields.unique("name", name, offers.names):
        offers.names.add(name)
    start, end, anchor = fields.take("start", day), fields.get("end", day), fields.take("anchor", day)
    if start and end and end <= start:
        fields.wrong("end", "on or before start")
    if anchor and anchor.day > LAST_ANCHOR_DAY and not offers.dialect.extended:
        fields.wrong("anchor", f"its day is above {LAST_ANCHOR_DAY}")
    cycle = fields.take("cycle", offers.dialect.choice(Cycle))
    return ContractTerms(name, name, start, end, cycle, anchor, read_services(fields, start, offers))
