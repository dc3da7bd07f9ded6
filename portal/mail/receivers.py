"""Find the people to whom mails are sent."""

from dataclasses import dataclass
from typing import Any, Protocol

from portal.database import transaction
from portal.people.access.sessions import reader_of
from portal.people.readers import Reader


class Receiver(Protocol):
    """The recipient of a mail: a person who signs in, or a mail address with which nobody signs in."""

    @property
    def email(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def locale(self) -> str: ...
    @property
    def time_zone(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts mail address of a customer, as the recipient of a mail.

    `name` is the name of the customer, and `time_zone` the time zone of the company.
    """

    email: str
    name: str
    time_zone: str
    locale: str = "en_GB"


async def owner(credential_id: int) -> Reader | None:
    """Return the person who owns this credential; None if the credential is unknown or its access has ended."""
    async with transaction(None) as tx:
        return await receiver_of(tx, credential_id)


async def owner_of_login(tx: Any, login_id: int) -> Reader | None:
    """Return the owner of a login, as the reader of one of the login's credentials.

    This is a credential whose invitation was accepted and whose access has not ended; if there is none, return None.
    `login_id` is the id of any credential of the person, because the login moves to another credential when the
    credential that holds it is erased.
    """
    row = await tx.fetchrow(
        "select p.* from credential c cross join lateral person_of(c.id) p"
        " where c.login_id = (select login_id from credential where id = $1) and c.accepted_at is not null and not p.disabled"
        " order by c.id = $1 desc, c.id limit 1",
        login_id,
    )  # fmt: skip
    return reader_of(row) if row else None


async def receiver_of(tx: Any, credential_id: int) -> Reader | None:
    """Return the person who owns this credential, as `owner` does, in the open transaction `tx`."""
    row = await tx.fetchrow("select * from person_of($1)", credential_id)
    return None if row is None or row["disabled"] else reader_of(row)
