"""Let admins see and end a person's sessions (R18), and remove second factors that the person has lost (R9)."""

from datetime import datetime
from typing import Any

from portal.database import transaction
from portal.errors import Conflict
from portal.mail import refusals
from portal.people import factors
from portal.people.access import sessions
from portal.people.agents import Agent
from portal.people.contacts import Contact
from portal.people.readers import AgentReader
from portal.web.account.confirmation import ask_for_password
from portal.web.visit import Web, visit_of


async def access_of(request: Web, person: Agent | Contact) -> dict[str, Any] | None:
    """Return the variables of the template `agent/setup/_access.html` for an agent or a contact.

    Return None for a contact without a mail address, who cannot sign in. `sessions` are the person's open sessions,
    `factors` the second factors, and `refusal` says when and why a mail server refused the person's mail address, or is
    None. `own` is True if the person is the signed-in admin. `joins` is True if the person has not accepted this access
    yet, but already signs in for another customer. `mails` is True if the portal can send mails. The other variables
    are those of `Person.invited`.
    """
    visit = visit_of(request)
    if (credential := await person.invited(visit.at)) is None:
        return None
    # Until the person accepts this access, the sessions and factors of `login_id` belong to another customer's access.
    login = credential["login_id"] if credential["accepted"] else credential["id"]
    return {
        **credential,
        "mails": bool(visit.settings.smtp_url),
        "refusal": await refusals.find(credential["email"]),
        "sessions": await sessions.live_ones(login, is_agent=isinstance(person, Agent), at=visit.at),
        "factors": await factors.of(login),
        "joins": login != credential["login_id"],
        "own": visit.reader is not None and credential["id"] == visit.reader.credential_id,
    }


async def sign_out_everywhere(person: Agent | Contact, at: datetime) -> None:
    """End all sessions of an agent or a contact. Call this in the admin's transaction.

    Sessions of the same person with another customer continue.
    """
    await sessions.end_all((await person.credential())["id"], at)


async def try_mail_again(person: Agent | Contact) -> None:
    """Forget that a mail server has refused the person's mail address, so that mails go there again. Idempotent."""
    await refusals.forget((await person.credential())["email"])


async def remove_factors(request: Web, reader: AgentReader, person: Agent | Contact, at: datetime) -> None:
    """Remove all second factors of the person and end all their sessions.

    Afterwards the password alone gives access to the person's account. Therefore, if the admin has not typed their own
    password recently, raise `Detour`, which redirects to the page that asks for it (R20). Raise `Conflict` for the
    admin's own account.
    """
    ask_for_password(request)
    async with transaction(reader, readonly=True):
        credential = await person.credential()
    # The account page, on which admins remove their own factors, keeps the last one if the settings require one.
    if credential["id"] == reader.credential_id:
        raise Conflict("Remove your own second factor under Account.")
    async with transaction(None):
        await factors.remove_all(credential["login_id"], at)
