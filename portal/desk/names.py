"""Find the names of people, for the log of a case and for error messages."""

from portal.errors import Invalid
from portal.people.agents import Agent
from portal.people.contacts import Contact

WHO_WORKS = "Choose an agent who works here."


async def contact_name(contact_id: int) -> str:
    """Return the name of the contact with this id, which must exist."""
    (row,) = await Contact.select(Contact.name).where(Contact.id == contact_id)
    return str(row["name"])


async def agent_name(agent_id: int, *, who_works: bool = False) -> str:
    """Return the name of the agent with this id.

    Raise `Invalid` at the field `agent` if there is no such agent or, with `who_works`, if the agent has left.
    """
    row = await Agent.select(Agent.name, Agent.ended_at).where(Agent.id == agent_id).first()
    if row is None or (who_works and row["ended_at"] is not None):
        raise Invalid({"agent": WHO_WORKS})
    name: str = row["name"]
    return name


async def works(agent_id: int, *, hold: bool = False) -> bool:
    """Return whether the agent with this id exists and has not left.

    With `hold`, lock the agent, so that the agent's access cannot end before this transaction does. Otherwise the
    caller could store something for an agent who has just left, such as an appointment, which nobody would hand over.
    """
    found = Agent.select(Agent.id).where((Agent.id == agent_id) & Agent.ended_at.is_null())
    return bool(await (found.lock_rows("SHARE") if hold else found).first())
