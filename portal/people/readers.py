"""Readers: the signed-in person, or the portal itself, on whose behalf a query runs.

Queries filter by `visible_to(reader)`. Transactions run as the PostgreSQL role `database_role` of the reader, so that
row-level security checks the customer of each row a second time. When a contact reads cases or invoices, row-level
security does not check the rights `sees_all_cases` and `sees_invoices`: only the queries do.
"""

from dataclasses import asdict, dataclass
from zoneinfo import ZoneInfo

from portal.errors import NotFound


@dataclass(frozen=True, slots=True)
class ContactReader:
    """A signed-in contact of a customer, with the contact's rights. `id` is the id of the contact."""

    id: int
    credential_id: int
    customer_id: int
    customer_name: str
    name: str
    email: str
    locale: str
    time_zone: str
    sees_all_cases: bool
    sees_invoices: bool
    manages_contacts: bool

    database_role = "portal_contact"
    is_contact = True
    is_agent = is_manager = is_admin = False

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def sees_hours(self) -> bool:
        """Return whether the contact may see what is used and left of the customer's hours.

        All cases of the customer share these hours, so a contact must have the right to see all cases or the invoices.
        """
        return self.sees_all_cases or self.sees_invoices

    def as_administrator(self) -> "AdministratorReader":
        """Return this contact as a reader who may change the contacts of their customer.

        Raise `NotFound` if the contact lacks the right `manages_contacts`.
        """
        if not self.manages_contacts:
            raise NotFound
        return AdministratorReader(**asdict(self))


@dataclass(frozen=True, slots=True)
class AdministratorReader(ContactReader):
    """A contact with the right `manages_contacts`, while they invite, change or end contacts of their customer.

    The database role of this reader may write contacts and their credentials; the role of other contacts may not.
    Row-level security checks the right again for each row that is written.
    """

    database_role = "portal_administrator"


@dataclass(frozen=True, slots=True)
class AgentReader:
    """A signed-in agent. An admin has all rights of a manager, so `is_manager` is True for admins too."""

    id: int
    credential_id: int
    name: str
    email: str
    grade: str
    locale: str
    time_zone: str

    database_role = "portal_agent"
    customer_id = None
    is_contact = False
    is_agent = True

    @property
    def is_manager(self) -> bool:
        return self.grade in ("manager", "admin")

    @property
    def is_admin(self) -> bool:
        return self.grade == "admin"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


@dataclass(frozen=True, slots=True)
class System:
    """The portal itself as a reader, for the worker, the command line and set-up. It sees the same data as an agent."""

    database_role = "portal_agent"
    customer_id = None
    credential_id = None
    name = "Portal"
    is_contact = is_agent = is_manager = is_admin = False


SYSTEM = System()
Reader = ContactReader | AgentReader
