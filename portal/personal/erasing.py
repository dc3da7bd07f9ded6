"""Erase a contact: delete what identifies the contact, and keep what the customer's cases and the law require (D58)."""

from dataclasses import dataclass
from datetime import datetime

from portal.database import current
from portal.errors import Conflict, Invalid
from portal.people.contacts import Contact, hold_contact
from portal.storage import Storage

NOT_ENDED = "End their access first: that asks who takes over their open cases."


@dataclass(frozen=True, slots=True)
class Held:
    """How many items of each kind belong to a contact.

    An erasure keeps the items of the first six kinds, without the contact's name, and deletes the items of the last
    four.
    """

    cases: int
    messages: int
    files: int
    log_lines: int
    invoices_opened: int
    changes: int
    notices: int
    unsent_files: int
    sessions: int
    mails: int


async def held_of(contact: Contact) -> Held:
    """Return how many items of each kind belong to a contact.

    The caller's transaction must run as an admin.
    """
    return Held(**await current().fetchrow(_HELD, contact.id, await _credential_of(contact)))


async def erase(contact: Contact, typed_name: str, storage: Storage, at: datetime) -> None:
    """Erase a contact for good.

    The caller's transaction must run as an admin and have locked the contact.

    Messages of the contact stay, signed "Former contact", and so do issued invoices. Name, telephone number, mail
    address, password, second factors, sessions, links, unsent texts, unsent files, notices, choices of notices and
    records of mails are deleted. The audit log keeps its rows, but the contact's own changes and sessions lose their IP
    addresses. Access of the same person to another customer stays. Raise `Conflict` if the contact's access has not
    ended, and `Invalid` at the field `name` if `typed_name` is not the contact's name.
    """
    if contact.ended_at is None:
        raise Conflict(NOT_ENDED)
    if " ".join(typed_name.split()).casefold() != " ".join(contact.name.split()).casefold():
        raise Invalid({"name": f"Type the name as it is written here: {contact.name}"})
    await hold_contact(contact.id, ending=True)
    tx, credential = current(), await _credential_of(contact)
    for row in await tx.fetch("select key from upload where credential_id = $1 for update", credential):
        await storage.delete(row["key"])
    await tx.execute("select erase_contact($1, $2)", contact.id, at)


async def _credential_of(contact: Contact) -> int | None:
    """Return the id of the contact's credential, or None for a contact without a mail address."""
    found = await contact.credential_or_none()
    return found["id"] if found else None


_HELD = """
select (select count(*) from cases where contact_id = $1) as cases,
  (select count(*) from message where contact_id = $1) as messages,
  (select count(*) from attachment a join message m on m.id = a.message_id where m.contact_id = $1) as files,
  (select count(*) from case_event where contact_id = $1) as log_lines,
  (select count(*) from invoice_seen where contact_id = $1) as invoices_opened,
  (select count(*) from audit where credential_id = $2) as changes,
  notices_of($2) as notices,
  (select count(*) from upload where credential_id = $2) as unsent_files,
  (select count(*) from session where credential_id = $2) as sessions,
  (select count(*) from outgoing_mail where credential_id = $2) as mails
"""
