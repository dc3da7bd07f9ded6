"""Let the administrators of a customer change the customer's contacts, without help from the company (S3.15)."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

from portal.database import transaction
from portal.errors import Conflict, Invalid, NotFound
from portal.people.contacts import Contact, ContactFacts
from portal.people.readers import AdministratorReader, ContactReader

OWN_RIGHT = "You cannot take this right from yourself, so that somebody always has it. Another administrator can."
OWN_ACCESS = (
    "You cannot end your own access, so that somebody can always manage the contacts. Another administrator can."
)


@contextlib.asynccontextmanager
async def administering(reader: ContactReader) -> AsyncIterator[AdministratorReader]:
    """Open a transaction in which `reader` may change the contacts of their customer; yield the `AdministratorReader`.

    The transactions of the administrators of one customer run one after the other, so that two administrators cannot
    take the right to manage contacts from each other at the same moment. The yielded reader sees all cases of the
    customer: when a contact leaves, their cases are handed over, even cases that the administrator may not read. Raise
    `NotFound` if `reader` does not have the right, or has lost it since the request began.
    """
    by = replace(reader.as_administrator(), sees_all_cases=True)
    async with transaction(by) as tx:
        await tx.execute("select pg_advisory_xact_lock(hashtextextended('manages contacts', $1))", by.customer_id)
        if not await tx.fetchval("select app_manages_contacts()"):
            raise NotFound
        yield by


def refuse_own_end(contact: Contact, by: ContactReader) -> None:
    """Raise `Conflict` if `contact`, whose access is to be ended, is the administrator who asks for this (`by`)."""
    if contact.id == by.id:
        raise Conflict(OWN_ACCESS)


def refuse_own_loss(contact: Contact, facts: ContactFacts, by: ContactReader) -> None:
    """Raise `Invalid` if the administrator `by` would lose the right to manage contacts by changing `contact`."""
    if contact.id == by.id and not facts.manages_contacts:
        raise Invalid({"manages_contacts": OWN_RIGHT})
