"""Find the open cases of an agent or a contact who leaves, and hand over those of a contact."""

from datetime import datetime

from portal.database import current
from portal.desk.cases import Case
from portal.people.contacts import Contact, hold_contact
from portal.people.readers import AgentReader

_OPEN = """
select * from cases where status not in ('resolved', 'closed') and ($1::bigint is null or agent_id = $1)
  and ($2::bigint is null or contact_id = $2) order by number
"""


async def open_cases_of_agent(agent_id: int, *, hold: bool = False) -> list[Case]:
    """Return the open cases that are assigned to an agent, sorted by number.

    With `hold`, lock their rows until the transaction ends.
    """
    held = f"{_OPEN} for update"
    return [Case.of_row(dict(row)) for row in await current().fetch(held if hold else _OPEN, agent_id, None)]


async def open_cases_of_contact(contact_id: int) -> list[Case]:
    """Return the open cases of a contact, sorted by number."""
    return [Case.of_row(dict(row)) for row in await current().fetch(_OPEN, None, contact_id)]


async def end_contact(contact: Contact, *, successor_id: int | None, by: AgentReader, at: datetime) -> None:
    """End the access of a contact who leaves, and make the contact `successor_id` the contact of their open cases.

    If `successor_id` is None, the cases keep their contact. The function first waits for transactions that are opening a
    case for the contact, so that those cases are handed over too. Raise `Invalid` (`contact`) if the successor has left
    or belongs to another customer.
    """
    await hold_contact(contact.id, ending=True)
    await contact.end(at)
    if successor_id is not None:
        for case in await open_cases_of_contact(contact.id):
            await case.change_facts(by=by, at=at, contact_id=successor_id)
