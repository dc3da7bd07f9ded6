"""Find out what an admin who sets up the portal still has to enter before the first invoice can be issued."""

from dataclasses import dataclass
from typing import Any

from portal.database import current
from portal.people.agents import without_approver


@dataclass(frozen=True, slots=True)
class Readiness:
    """The state of the set-up: counts of what the first invoice needs, and names of incomplete agents and customers.

    `company` says whether the company has been set up. Agents and contacts who have left, and case types and
    customers that have ended, are neither counted nor named.
    """

    company: bool
    departments: int
    roles: int
    rates: int
    agents: int
    case_types: int
    customers: int
    contracts: int
    services: int
    contacts: int
    unpriced_roles: tuple[str, ...]
    """The names of the roles that at least one agent has and for which there is no rate."""
    agents_without_role: tuple[str, ...]
    """The names of agents, except admins, who have no role. Only a rate for service and agent can price their time."""
    agents_without_approver: tuple[str, ...]
    """The names of agents whose time nobody else may approve; no agent may approve their own time (D33)."""
    customers_without_service: tuple[str, ...]
    customers_without_contact: tuple[str, ...]
    first_without_service: int | None
    """The id of the first customer in `customers_without_service`, or None."""
    first_without_contact: int | None
    only_customer: int | None
    """The id of the customer if there is exactly one, or None."""

    @property
    def rates_missing(self) -> str:
        """Return a sentence that names the roles without a rate, or "" if there are none."""
        return f"No rate yet for {', '.join(self.unpriced_roles)}." if self.unpriced_roles else ""

    @property
    def agents_missing(self) -> str:
        """Return a message that names the agents whose time nobody may approve.

        If there are none, return a message that names the agents without a role, or "" if there are none either.
        """
        if self.agents_without_approver:
            return (
                f"Nobody may approve the time of {', '.join(self.agents_without_approver)}: nobody approves their own."
            )
        return f"No role yet: {', '.join(self.agents_without_role)}." if self.agents_without_role else ""

    @property
    def services_missing(self) -> str:
        """Return a message that names the customers without a service, or "" if there are none."""
        return f"No service yet: {', '.join(self.customers_without_service)}." if self.customers_without_service else ""

    @property
    def contacts_missing(self) -> str:
        """Return a message that names the customers without a contact, or "" if there are none."""
        return f"No contact yet: {', '.join(self.customers_without_contact)}." if self.customers_without_contact else ""


READ = """
with agents as (select * from agent where ended_at is null), customers as (select * from customer where ended_at is null)
select exists (select from company) as company, (select count(*) from department) as departments, (select count(*) from role) as roles,
  (select count(*) from rate) as rates, (select count(*) from agents) as agents,
  (select count(*) from case_type where ended_at is null) as case_types, (select count(*) from customers) as customers,
  (select count(*) from contract) as contracts, (select count(*) from service) as services,
  (select count(*) from contact where ended_at is null) as contacts,
  array(select r.name from role r where exists (select from agents a where a.role_id = r.id)
        and not exists (select from rate p where p.role_id = r.id) order by folded(r.name)) as unpriced_roles,
  array(select a.name from agents a where a.role_id is null and a.grade <> 'admin' order by folded(a.name)) as agents_without_role,
  array(select u.name from customers u where not exists (select from service s where s.customer_id = u.id) order by folded(u.name))
    as customers_without_service,
  array(select u.name from customers u where not exists (select from contact t where t.customer_id = u.id and t.ended_at is null)
        order by folded(u.name)) as customers_without_contact,
  (select id from customers u where not exists (select from service s where s.customer_id = u.id) order by folded(u.name) limit 1)
    as first_without_service,
  (select id from customers u where not exists (select from contact t where t.customer_id = u.id and t.ended_at is null)
   order by folded(u.name) limit 1) as first_without_contact,
  (select min(id) from customers having count(*) = 1) as only_customer
"""


async def readiness() -> Readiness:
    """Return what has been set up so far, read by two queries."""
    row = await current().fetchrow(READ)
    found: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    return Readiness(**found, agents_without_approver=tuple(await without_approver()))
