"""Read the data that customers and the company have as parties of an invoice: names and a postal address."""

from typing import Any

from msgspec import Struct

from portal.fields import Checked, line
from portal.regions import country


class PartyFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a party as typed, not validated yet.

    Invoices show the legal name and the postal address. If the legal name is empty, the name is stored as the legal name
    too. `country` is an ISO 3166 code of two letters.
    """

    name: str
    legal_name: str = ""
    street: str
    postcode: str
    city: str
    country: str


def read_party(checked: Checked, facts: PartyFacts) -> dict[str, Any]:
    """Validate the fields of a party and return its column values. `checked` records an error for each wrong field."""
    return {
        "name": checked("name", line, facts.name),
        "legal_name": checked("legal_name", line, facts.legal_name.strip() or facts.name.strip() or "-"),
        "street": checked("street", line, facts.street),
        "postcode": checked("postcode", line, facts.postcode),
        "city": checked("city", line, facts.city),
        "country": checked("country", country, facts.country),
    }
