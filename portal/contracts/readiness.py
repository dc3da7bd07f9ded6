"""Find out what is still missing before the first invoice, for the admin who sets up the portal."""

from dataclasses import dataclass
from typing import Any

from portal.database import current
from portal.people.agents import without_approver


@dataclass(frozen=True, slots=True)
class Readiness:
    """Count what is needed to bill the first invoice, and name those for whom something is missing."""

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
    """Names of roles that agents have and for which there is no rate at all."""
    agents_without_role: tuple[str, ...]
    """Names of agents whose time has no price unless a service has its own rate. Admins are left out: few log time."""
    agents_without_approver: tuple[str, ...]
    """Names of agents whose time nobody may approve, because nobody approves their own (D33)."""
    customers_without_service: tuple[str, ...]
    customers_without_contact: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Return whether a case can be opened, worked on, approved and billed."""
        return self.company and min(
            self.roles, self.rates, self.agents, self.case_types, self.customers, self.contracts, self.services, self.contacts
        ) > 0 and not self.agents_without_approver  # fmt: skip


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
        order by folded(u.name)) as customers_without_contact
"""


async def readiness() -> Readiness:
    """Return how far the set-up is now, by two queries."""
    row = await current().fetchrow(READ)
    found: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    return Readiness(**found, agents_without_approver=tuple(await without_approver()))
