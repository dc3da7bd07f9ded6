"""Signed links in mails by which a contact rates the solution of a case without signing in.

A link names the person, the case and an expiry. It gives no other access, and a rating is checked with the rights that
the person has at that time.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from portal.database import current, transaction
from portal.desk.cases import Case
from portal.desk.verbs.rating import may_rate, rated_until
from portal.errors import NotFound
from portal.people.access.sessions import reader_of
from portal.people.readers import ContactReader, Reader
from portal.sealing import Broken, Sealer

_PURPOSE = "rating"


@dataclass(frozen=True, slots=True)
class RatingLink:
    """A link with which the contact with this credential rates the case with this number, until the instant `until`."""

    credential_id: int
    number: int
    until: datetime

    @classmethod
    def read(cls, token: str, sealer: Sealer, at: datetime) -> Self:
        """Return the link with this token. Raise `NotFound` for a token that is forged, incomplete or expired."""
        try:
            credential_id, number, until = map(int, sealer.signed(_PURPOSE, token).split())
        except Broken:
            raise NotFound from None
        link = cls(credential_id, number, datetime.fromtimestamp(until, UTC))
        if link.until <= at:
            raise NotFound
        return link

    def token(self, sealer: Sealer) -> str:
        """Return the token in the URL of the link, `/ratings/{token}`. Equal links have the same token."""
        return sealer.sign(_PURPOSE, f"{self.credential_id} {self.number} {int(self.until.timestamp())}")

    async def reader(self) -> ContactReader:
        """Return the contact who rates. Raise `NotFound` if their access has ended. Call this outside a transaction."""
        async with transaction(None, readonly=True) as tx:
            row = await tx.fetchrow("select * from person_of($1)", self.credential_id)
        reader = reader_of(row) if row and not row["disabled"] else None
        if not isinstance(reader, ContactReader):
            raise NotFound
        return reader


async def rating_link(number: int | None, receiver: Reader, at: datetime) -> RatingLink | None:
    """Return the link for a mail to `receiver` about the case with this number. Run in a transaction of the receiver.

    Return None if there is nothing to rate: there is no number, the receiver is not a contact, the case is not solved,
    it was solved too long ago, or it is rated already.
    """
    if number is None or not isinstance(receiver, ContactReader):
        return None
    case = await Case.find(number, receiver)
    until = rated_until(case)
    if until is None or not may_rate(case, at) or await current().fetchval(_IS_RATED, case.id):
        return None
    return RatingLink(receiver.credential_id, case.number, until)


_IS_RATED = "select exists (select from case_rating where case_id = $1)"
