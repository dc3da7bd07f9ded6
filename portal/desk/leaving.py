"""Find the open cases of an agent or contact who leaves; hand over an agent's appointments and a contact's cases."""

from datetime import datetime

from portal.database import current
from portal.desk.appointments import IS_TO_COME, Appointment, appointments_to_come
from portal.desk.cases import Case
from portal.desk.names import WHO_WORKS, works
from portal.desk.workflow.moves import name_sql
from portal.errors import Invalid
from portal.people.contacts import Contact, hold_contact
from portal.people.readers import AdministratorReader, AgentReader

_OPEN = """
select cases.*, {word} as status_word from cases where status not in ('resolved', 'closed') and ($1::bigint is null or agent_id = $1)
  and ($2::bigint is null or contact_id = $2) order by number
"""


async def open_cases_of_agent(agent_id: int) -> list[Case]:
    """Return the open cases that are assigned to an agent, with their `status_word`, sorted by number."""
    return await _open(agent_id, None)


_HELD = f"""
select id from cases where (agent_id = $1 and status not in ('resolved', 'closed'))
  or id in (select p.case_id from appointment p where {IS_TO_COME}) order by number for no key update
"""  # noqa: S608


async def hold_cases_of_agent(agent_id: int, at: datetime) -> None:
    """Lock the open cases of an agent, and the cases of the agent's planned appointments after `at`.

    The locks are held until the transaction ends. A transaction that assigns a case or plans an appointment locks first
    the case and then the agent. A transaction that ends an agent's access has to lock in the same order, so it calls
    this function first.
    """
    await current().execute(_HELD, agent_id, at)


async def hand_appointments(agent_id: int, successor_id: int | None, *, by: AgentReader, at: datetime) -> None:
    """Hand an agent's planned appointments after `at` over to the agent `successor_id`, or cancel them if it is None.

    Lock the cases and the appointments. The log of each case records the change, and the customer can read it there.
    Raise `Invalid` at the field `appointments` if the successor has left or does not exist.
    """
    if successor_id is not None and not await works(successor_id, hold=True):
        raise Invalid({"appointments": WHO_WORKS})
    for planned, number in await appointments_to_come(agent_id, at):
        case = await Case.find(str(number), by, hold=True)
        appointment = await Appointment.find(planned.id, case, hold=True)
        if successor_id is None:
            await appointment.call_off(case, by=by, at=at)
        else:
            await appointment.give_to(successor_id, case, by=by, at=at)


async def open_cases_of_contact(contact_id: int, *, by_contact: bool = False) -> list[Case]:
    """Return the open cases of a contact, with their `status_word`, sorted by number.

    With `by_contact`, `status_word` is the name that contacts read.
    """
    return await _open(None, contact_id, by_contact=by_contact)


async def _open(agent_id: int | None, contact_id: int | None, *, by_contact: bool = False) -> list[Case]:
    sql, found = _OPEN.format(word=name_sql("cases", for_contact=by_contact)), list[Case]()
    for row in await current().fetch(sql, agent_id, contact_id):
        values = dict(row)
        word = values.pop("status_word")
        found.append(Case.of_row(values))
        found[-1].status_word = word
    return found


async def end_contact(
    contact: Contact, *, successor_id: int | None, by: AgentReader | AdministratorReader, at: datetime
) -> None:
    """End the access of a contact who leaves, and make the contact `successor_id` the contact of their open cases.

    If `successor_id` is None, the cases keep their contact. The function first waits for transactions that are opening
    a case for the contact, so that those cases are handed over too. Raise `Invalid` at the field `contact` if a case
    cannot be handed over because the successor has left or belongs to another customer.
    """
    await hold_contact(contact.id, ending=True)
    await contact.end(at)
    if successor_id is not None:
        for case in await open_cases_of_contact(contact.id):
            await case.change_facts(by=by, at=at, contact_id=successor_id)
