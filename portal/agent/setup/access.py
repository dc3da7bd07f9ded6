"""What an admin sees and ends of somebody's access: their sessions (R18), and a second factor that they lost (R9)."""

from datetime import datetime
from typing import Any

from portal.database import transaction
from portal.errors import Conflict
from portal.people import factors, sessions
from portal.people.agents import Agent
from portal.people.contacts import Contact
from portal.people.readers import AgentReader
from portal.web.account.confirmation import ask_for_password
from portal.web.visit import Web, visit_of


async def access_of(request: Web, person: Agent | Contact) -> dict[str, Any]:
    """For `agent/setup/_access.html`: the live sessions, the factors, and whether it is the reader's own."""
    visit = visit_of(request)
    credential = (await person.credential())["id"]
    return {
        "sessions": await sessions.live_ones(credential, is_agent=isinstance(person, Agent), at=visit.at),
        "factors": await factors.of(credential),
        "own": visit.reader is not None and credential == visit.reader.credential_id,
    }


async def sign_out_everywhere(person: Agent | Contact, at: datetime) -> None:
    """End all their sessions. In the admin's transaction."""
    await sessions.end_all((await person.credential())["id"], at)


async def remove_factors(request: Web, reader: AgentReader, person: Agent | Contact, at: datetime) -> None:
    """As if they had never set one up, and out everywhere. It lets in whoever knows the password, so the admin's own is asked for (R20)."""
    ask_for_password(request)
    async with transaction(reader, readonly=True):
        credential = (await person.credential())["id"]
    if credential == reader.credential_id:  # there, one factor has to stay
        raise Conflict("Remove your own second factor under Account.")
    async with transaction(None):
        await factors.remove_all(credential, at)
