"""Let admins see and end a person's sessions (R18), and remove second factors that the person has lost (R9)."""

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
    """Return the variables of the template `agent/setup/_access.html` for an agent or a contact.

    `sessions` holds the open sessions, `factors` the second factors; `own` is true if the person is the signed-in
    admin.
    """
    visit = visit_of(request)
    credential = (await person.credential())["id"]
    return {
        "sessions": await sessions.live_ones(credential, is_agent=isinstance(person, Agent), at=visit.at),
        "factors": await factors.of(credential),
        "own": visit.reader is not None and credential == visit.reader.credential_id,
    }


async def sign_out_everywhere(person: Agent | Contact, at: datetime) -> None:
    """End all sessions of the person. Call it inside the admin's transaction."""
    await sessions.end_all((await person.credential())["id"], at)


async def remove_factors(request: Web, reader: AgentReader, person: Agent | Contact, at: datetime) -> None:
    """Remove all second factors of the person and end all their sessions.

    Afterwards the password alone gives access to the account, so the admin must have typed their own password recently
    (R20); if not, the exception of `ask_for_password` leads to the page that asks for it. Raise `Conflict` for the
    admin's own account.
    """
    ask_for_password(request)
    async with transaction(reader, readonly=True):
        credential = (await person.credential())["id"]
    if credential == reader.credential_id:  # The account page does that and keeps the last factor.
        raise Conflict("Remove your own second factor under Account.")
    async with transaction(None):
        await factors.remove_all(credential, at)
