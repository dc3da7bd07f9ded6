"""Find the open cases of an agent or a contact who leaves, and hand over an agent's appointments and a contact's cases."""

from datetime import datetime

from portal.database import current
from portal.desk.appointments import IS_TO_COME, Appointment, appointments_to_come
from portal.desk.cases import Case
from portal.desk.names import WHO_WORKS, works
from portal.errors import Invalid
from portal.people.contacts import Contact, hold_contact
from portal.people.readers import AdministratorReader, AgentReader

_OPEN = """
select * from cases where status not in ('resolved', 'closed') and ($1::bigint is null or agent_id = $1)
  and ($2::bigint is null or contact_id = $2) order by number
"""


async def open_cases_of_agent(agent_id: int) -> list[Case]:
    """Return the open cases that are assigned to an agent, sorted by number."""
    return [Case.of_row(dict(row)) for row in await current().fetch(_OPEN, agent_id, None)]


_HELD = f"""
select id from cases where (agent_id = $1 and status not in ('resolved', 'closed'))
  or id in (select p.case_id from appointment p where {IS_TO_COME}) order by number for update
"""  # noqa: S608


async def hold_cases_of_agent(agent_id: int, at: datetime) -> None:
    """Lock the agent's open cases and those of the agent's appointments after `at` until the transaction ends.

    A transaction that assigns a case or plans an appointment locks the case first and then the agent. One that ends an
    agent has to lock in the same order, so it calls this function first.
    """
    await current().execute(_HELD, agent_id, at)


async def hand_appointments(agent_id: int, successor_id: int | None, *, by: AgentReader, at: datetime) -> None:
    """Give an agent's planned appointments after `at` to the agent `successor_id`; if that is None, call them off.

    The cases and appointments are locked. The log of each case records the change, and the customer reads it there. Raise
    `Invalid` (`appointments`) if the successor has left or does not exist.
    """
    if successor_id is not None and not await works(successor_id):
        raise Invalid({"appointments": WHO_WORKS})
    for planned, number in await appointments_to_come(agent_id, at):
        case = await Case.find(str(number), by, hold=True)
        appointment = await Appointment.find(planned.id, case, hold=True)
        if successor_id is None:
            await appointment.call_off(case, by=by, at=at)
        else:
            await appointment.give_to(successor_id, case, by=by, at=at)


async def open_cases_of_contact(contact_id: int) -> list[Case]:
    """Return the open cases of a contact, sorted by number."""
    return [Case.of_row(dict(row)) for row in await current().fetch(_OPEN, None, contact_id)]


async def end_contact(
    contact: Contact, *, successor_id: int | None, by: AgentReader | AdministratorReader, at: datetime
) -> None:
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
