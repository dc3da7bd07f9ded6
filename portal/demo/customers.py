"""The invented customers of the demo with their contacts, contracts and services, as an agent would type them."""

from dataclasses import dataclass
from typing import Any

from portal.contracts.services import ServiceFacts
from portal.people.customers import CustomerFacts, DeliveryFacts

REVERSE_CHARGE = "Reverse charge: the recipient owes the VAT (Article 196 of Directive 2006/112/EC)."
NOT_HERE = "Not taxable in Germany: the service is supplied in Switzerland."
TEACHING = "Exempt under § 4 No. 21 UStG: teaching that prepares for an occupation."

EVERYTHING, CASES, OWN = "all cases, invoices, contacts", "all cases", ""


@dataclass(frozen=True, slots=True)
class Person:
    """A contact of a customer. `may` names the contact's rights: `EVERYTHING`, `CASES` or `OWN`."""

    name: str
    may: str = OWN
    phone: str = ""
    time_zone: str = "Europe/Berlin"

    @property
    def mailbox(self) -> str:
        """Return the part of the contact's mail address before the @."""
        return self.name.split()[0].lower()


@dataclass(frozen=True, slots=True)
class Frame:
    """A contract of a customer with its services. The first service is the default of the customer's new cases.

    `{year}` in the name of the contract is replaced by the year in which the contract starts. The customer buys a voucher
    for each service that is paid by vouchers.
    """

    name: str
    services: tuple[ServiceFacts, ...]
    payment_days: int = 14
    vat_rate: str = "19"
    currency: str = "EUR"
    order_reference: str = ""
    cash_rounding: str = ""


@dataclass(frozen=True, slots=True)
class Organisation:
    """A customer with its contacts (`people`) and contracts (`frames`).

    `share` is the customer's share of all cases, in per cent. If `is_trial`, time for the customer is not charged.
    Without a `delivery`, invoices are mailed to the contacts who may see them. `caller` is the name and the telephone
    number of a contact without a mail address.
    """

    facts: CustomerFacts
    people: tuple[Person, ...]
    frames: tuple[Frame, ...]
    share: int
    is_trial: bool = False
    delivery: DeliveryFacts | None = None
    caller: tuple[str, str] | None = None

    @property
    def domain(self) -> str:
        """Return the part of the customer's mail addresses after the @."""
        return f"{self.facts.name.split()[0].lower()}.example"


def _service(
    name: str, rollup: str, minimum: int, increment: int, mode: str = "up", untaxed: str = "", **terms: Any
) -> ServiceFacts:
    """Return the form fields of a service, which is paid by time spent unless `terms` has another settlement.

    `terms` are further fields of the form, and the settlement is how the time of a service is paid for. `untaxed` is
    the reason why no VAT is charged; if it is "", VAT is charged.
    """
    return ServiceFacts(
        **terms,
        name=name,
        rollup=rollup,
        taxable="no" if untaxed else "yes",
        exemption_reason=untaxed,
        rounding_minimum=str(minimum),
        rounding_increment=str(increment),
        rounding_mode=mode,
    )


def _seat(name: str, legal_name: str, street: str, postcode: str, city: str, vat_id: str) -> CustomerFacts:
    country = {"IE": "IE", "NL": "NL", "CH": "CH"}.get(vat_id[:2], "DE")
    return CustomerFacts(
        name=name,
        legal_name=legal_name,
        street=street,
        postcode=postcode,
        city=city,
        country=country,
        vat_id=vat_id,
    )


CUSTOMERS = (
    Organisation(
        _seat("Acme", "Acme GmbH", "Speicherweg 12", "20457", "Hamburg", "DE313097843"),
        (Person("Ada Lindqvist", EVERYTHING, "+49 40 555 0148"), Person("Alan Weber")),
        (
            Frame(
                "Support {year}",
                (
                    _service("Helpdesk", "service", 0, 15),
                    _service(
                        "Network care",
                        "role",
                        0,
                        15,
                        settlement="subscription",
                        fee="450",
                        included="4h",
                        rollover_periods="2",
                        rollover_cap="3h",
                    ),
                    _service("On site", "none", 0, 15, settlement="voucher", overflow="hold"),
                ),
                order_reference="4500-7731",
            ),
        ),
        share=16,
        caller=("Piet Hollander", "+49 40 555 0163"),
    ),
    Organisation(
        _seat("Globex", "Globex Ltd", "1 Quay Road", "D01 X2Y3", "Dublin", "IE3317842S"),
        (Person("Gil Moreau", EVERYTHING, "+353 1 555 0117", "Europe/Dublin"),),
        (
            Frame(
                "Helpdesk and move",
                (
                    _service("Helpdesk", "service", 0, 15, untaxed=REVERSE_CHARGE),
                    _service("Move to Cork", "resource", 0, 15, untaxed=REVERSE_CHARGE),
                ),
                payment_days=30,
            ),
        ),
        share=11,
    ),
    Organisation(
        _seat("Birkholm Foods", "Birkholm Lebensmittel GmbH", "Mühlenkai 3", "23552", "Lübeck", "DE288150936"),
        (
            Person("Rune Birkholm", EVERYTHING, "+49 451 555 0120"),
            Person("Thea Lauritz", CASES),
            Person("Kaspar Noll"),
        ),
        (Frame("Care {year}", (_service("Helpdesk", "none", 0, 15),), order_reference="BF-2208"),),
        share=10,
        delivery=DeliveryFacts(invoices_by_mail=True, email="rechnungen@birkholm.example", invoices_with_csv=True),
    ),
    Organisation(
        _seat("Tarnwick Print", "Tarnwick Druck GmbH", "Am Setzkasten 8", "28195", "Bremen", "DE301772843"),
        (Person("Silke Tarnwick", EVERYTHING, "+49 421 555 0133"), Person("Bertil Quast")),
        (
            Frame(
                "Framework {year}",
                (_service("On call", "resource", 30, 30, windows="Mon-Fri 18:00-8:00 x1.5\nSat, Sun, Holidays x2"),),
                payment_days=21,
            ),
        ),
        share=7,
    ),
    Organisation(
        _seat("Ostrand Shipping", "Ostrand Reederei GmbH", "Förderkai 40", "24103", "Kiel", "DE276630418"),
        (
            Person("Imke Ostrand", EVERYTHING, "+49 431 555 0102"),
            Person("Joris Feld", CASES),
            Person("Merle Anders"),
            Person("Peer Lohse"),
        ),
        (
            Frame(
                "Support and network",
                (
                    _service("Helpdesk", "service", 15, 15, rounding_per="day"),
                    _service("Ship networks", "role", 0, 30, "nearest"),
                ),
                order_reference="OS/IT/17",
            ),
        ),
        share=13,
    ),
    Organisation(
        _seat("Quillby School", "Quillby Schule gGmbH", "Lindenallee 2", "30159", "Hannover", "DE319448203"),
        (Person("Frauke Quillby", EVERYTHING), Person("Daniel Ohm")),
        (
            Frame(
                "School care",
                (_service("Helpdesk", "service", 0, 15), _service("Courses", "none", 0, 15, untaxed=TEACHING)),
                payment_days=30,
            ),
        ),
        share=7,
    ),
    Organisation(
        _seat("Kelvaro Instruments", "Kelvaro Messgeräte GmbH", "Waagegasse 5", "37073", "Göttingen", "DE290517636"),
        (Person("Viktor Kelva", EVERYTHING, "+49 551 555 0161"), Person("Nele Sturm", CASES)),
        (Frame("Time and material", (_service("Administration", "role", 0, 5, "nearest"),)),),
        share=9,
    ),
    Organisation(
        _seat("Rovana Bikes", "Rovana Fahrrad GmbH", "Kettenweg 19", "26122", "Oldenburg", "DE284460953"),
        (Person("Tilda Rovana", EVERYTHING), Person("Enno Specht")),
        (Frame("Trial half-year", (_service("Helpdesk", "service", 0, 15),)),),
        share=5,
        is_trial=True,
    ),
    Organisation(
        _seat("Larkmoor Clinic", "Larkmoor Klinik GmbH", "Am Moorbach 77", "18055", "Rostock", "DE307263196"),
        (
            Person("Dorothea Lark", EVERYTHING, "+49 381 555 0199"),
            Person("Malte Brink", CASES),
            Person("Selma Ito"),
        ),
        (Frame("Clinic support", (_service("Support", "service", 10, 10, "down"),), order_reference="KL-90-112"),),
        share=9,
    ),
    Organisation(
        _seat("Fennick Orchards", "Fennick Obsthof KG", "Deichstieg 1", "21680", "Stade", "DE295381728"),
        (Person("Harm Fennick", EVERYTHING),),
        (Frame("By the minute", (_service("Help", "none", 0, 1),), payment_days=10),),
        share=4,
    ),
    Organisation(
        _seat("Sernaz Hotels", "Sernaz Hotels AG", "Via Larisch 9", "7000", "Chur", "CHE314159016"),
        (Person("Flurina Sernaz", EVERYTHING, "+41 81 555 01 40", "Europe/Zurich"), Person("Reto Fluor", CASES)),
        (
            Frame(
                "Remote support",
                (_service("Remote support", "service", 0, 15, untaxed=NOT_HERE),),
                payment_days=30,
                vat_rate="8.1",
                currency="CHF",
                cash_rounding="0.05",
            ),
        ),
        share=5,
    ),
    Organisation(
        _seat("Dornkamp Glass", "Dornkamp Glas B.V.", "Zandkade 31", "9711 AB", "Groningen", "NL861730942B44"),
        (Person("Sanne Dornkamp", EVERYTHING, "+31 50 555 0172", "Europe/Amsterdam"), Person("Wim Aalders")),
        (
            Frame(
                "Support",
                (_service("Support", "role", 0, 15, untaxed=REVERSE_CHARGE),),
                payment_days=30,
                vat_rate="21",
            ),
        ),
        share=4,
    ),
)
"""The customers of the demo. Their values of `share` add up to a hundred."""
