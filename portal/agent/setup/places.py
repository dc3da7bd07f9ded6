"""The map of the set-up: every page on which something is set up, with the words by which the search finds the page."""

from typing import NamedTuple

from portal.contracts.readiness import Readiness
from portal.folding import folded
from portal.timekeeping.policy.switches import Rules


class Place(NamedTuple):
    """A page of the set-up: its URL, its name, what it is for (`words`), and words for the search alone (`decides`)."""

    address: str
    name: str
    words: str
    decides: str = ""

    def fits(self, search: str, group: str) -> bool:
        """Return whether each word of the search text occurs in the texts of this place or in the name of its group."""
        text = folded(f"{self.name} {self.words} {self.decides} {group}")
        return all(word in text for word in folded(search).split())


PLACES: dict[str, tuple[Place, ...]] = {
    "Company and people": (
        Place(
            "/agent/setup/company", "Company", "Our name, address, VAT id and bank, currency and time zone, and invoice numbers.",
            "legal name street postcode town country telephone e-mail IBAN BIC VAT rate number series first invoice number",
        ),
        Place("/agent/setup/company#logo-part", "Logo", "The picture on invoices and on the sign-in page."),
        Place(
            "/agent/setup/agents", "Agents", "Who works on cases, who approves, and who may change the set-up.",
            "people colleagues staff invitation grade manager admin working hours absences cost rates sessions second factor end access",
        ),
        Place(
            "/agent/setup/departments", "Departments", "Who belongs where, and which managers approve whose time.",
            "tree teams approver",
        ),
    ),
    "Customers": (
        Place(
            "/agent/customers", "Customers", "Their addresses, contacts, contracts and services, and how invoices reach them.",
            "VAT id rights invitation delivery of invoices mail accounts address CSV default service per case type payment days currency"
            " billing cycle order reference rollup rounding tax end",
        ),
        Place(
            "/agent/projects", "Projects", "Work for a customer with a budget, to which cases can be connected.", "members tasks"
        ),
    ),
    "Prices": (
        Place("/agent/setup/roles", "Roles and their rates", "What an hour of whom costs.", "hourly price consultant"),
        Place(
            "/agent/setup/rates", "Rates", "Rates of their own for a customer, a service, or one agent in a service.",
            "hourly price overage currency",
        ),
        Place(
            "/agent/setup/billing", "Billing on schedule", "On which days runs bill by themselves, and whether invoices are issued at once.",
            "automatic monthly weekly run drafts mail customers left out",
        ),
        Place("/agent/setup/products", "Price list", "The products that you sell, with their prices.", "product item unit tax"),
        Place(
            "/agent/setup/service-templates", "Templates of services", "What new contracts and services start from.",
            "offer package subscription voucher",
        ),
    ),
    "Cases": (
        Place(
            "/agent/setup/case-types", "Case types", "What contacts can ask for, and whether time on it is billable.",
            "kinds incident question",
        ),
        Place(
            "/agent/setup/priorities", "Priorities", "What the four are called, and which of them customers may choose.",
            "low normal high urgent severity preselected default",
        ),
        Place(
            "/agent/setup/fields", "Fields", "What else is recorded about cases, such as a serial number or a building.",
            "own custom fields text number date choice required hidden customers",
        ),
        Place(
            "/agent/setup/workflow", "Workflow", "The statuses of cases, and which may follow which.",
            "status new open waiting resolved closed moves clock pause customer others",
        ),
        Place(
            "/agent/setup/dispatch", "Dispatch", "Who gets a new case, by rules in order.",
            "assign round robin in turn fewest open cases department priority away absent hand over",
        ),
        Place(
            "/agent/setup/deadlines", "Deadlines", "By when cases are answered and solved, business hours and public holidays.",
            "promise target SLA priority response solution calendar opening hours working hours days off quality goals",
        ),
        Place(
            "/agent/canned-replies", "Canned replies", "Texts for everybody, from which agents start a reply.",
            "templates placeholders snippets answers",
        ),
        Place("/agent/setup/tags", "Tags", "Words on cases by which agents find them again.", "labels rename merge delete"),
        Place("/agent/setup/files", "Files", "Which files nobody can attach.", "attachments uploads endings exe"),
    ),
    "Time": (
        Place(
            "/agent/setup/time", "Rules of time", "What time is tracked on and for whom, what must be filled in, and until when"
            " it may be changed.",
            "time tracking on off projects only lock period required fields comment rounding new services",
        ),
        Place(
            "/agent/setup/general-kinds", "Kinds of general time", "What agents log that is worked for no customer.",
            "meeting training internal",
        ),
    ),
    "The portal": (
        Place(
            "/agent/setup/system", "System", "Whether every part of it is well, and the jobs that failed.",
            "health worker disk database backup queue",
        ),
        Place(
            "/agent/setup/outbox", "Outbox", "What became of each mail: sent, waiting, refused, or kept without a mail server.",
            "SMTP e-mail send again refused addresses",
        ),
        Place(
            "/agent/setup/changes", "Changes", "Who changed access, prices and our company, and when.", "audit log history export"
        ),
        Place("/account/notices", "What you are told", "Which mails and notices you get yourself.", "digest quiet hours bell"),
    ),
}  # fmt: skip
"""The pages of the set-up by group, in the order of the map."""


def found(search: str) -> dict[str, list[Place]]:
    """Return the places that match the search text, by group, without empty groups; all places for an empty text."""
    fitting = {group: [place for place in places if place.fits(search, group)] for group, places in PLACES.items()}
    return {group: places for group, places in fitting.items() if places}


def notes(ready: Readiness, rules: Rules) -> dict[str, str]:
    """Return a note for each page of the set-up on which something is missing or switched off, by the page's URL."""
    said = {
        "/agent/setup/company": "" if ready.company else "Not set up yet.",
        "/agent/setup/roles": ready.rates_missing,
        "/agent/setup/agents": ready.agents_missing,
        "/agent/customers": ready.services_missing or ready.contacts_missing,
        "/agent/setup/time": "" if rules.tracks_time else "Time tracking is switched off.",
    }
    return {address: sentence for address, sentence in said.items() if sentence}
