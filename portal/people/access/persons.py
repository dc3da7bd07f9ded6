"""The base class of people who sign in: agents and contacts."""

from datetime import datetime
from typing import Any, ClassVar

from portal.database.rows import Endable
from portal.errors import Conflict, NotFound
from portal.people.access import credentials, invitations
from portal.people.access.credentials import Credential


class Person(Endable):
    """Base of the table classes `Agent` and `Contact`, whose rows are people who sign in with a credential.

    A contact without a mail address has no credential and cannot sign in. `credential_key` is the column of
    `credential` that holds the id of the agent or contact.
    """

    credential_key: ClassVar[str]
    name: Any

    async def credential(self) -> Any:
        """Return the `id`, `login_id`, `email` and `accepted_at` of the person's credential as a dictionary.

        Raise `NotFound` for a contact without a mail address, and if the person was erased since this object was read.
        """
        if (found := await self.credential_or_none()) is None:
            raise NotFound
        return found

    async def credential_or_none(self) -> Any:
        """Return what `credential` returns, or None for a contact without a mail address, who has no credential."""
        of_person = getattr(Credential, self.credential_key) == self.id
        columns = (Credential.id, Credential.login_id, Credential.email, Credential.accepted_at)
        return await Credential.select(*columns).where(of_person).first()

    async def refuse_ended(self) -> None:
        """Raise `Conflict` if the person has left, because nobody who has left gets a link."""
        if self.ended_at:
            raise Conflict(f"{self.name} has ended. Take that back before you invite them.")

    async def invite(self, at: datetime) -> str:
        """Create an invitation link for the person, and return its token. The person's earlier invitations end.

        Raise `Conflict` for a person who has left or has no mail address.
        """
        return await invitations.invite((await self._reached())["id"], at)

    async def mail_link(self, at: datetime) -> None:
        """Send the person an invitation by mail or, if they have accepted one already, a link for a new password.

        Earlier links of the same kind end. Raise `Conflict` for a person who has left or has no mail address.
        """
        credential = await self._reached()
        await invitations.mail(credential["id"], "reset" if credential["accepted_at"] else "invitation", at)

    async def _reached(self) -> Any:
        """Return the person's credential. Raise `Conflict` for a person who has left or has no mail address."""
        await self.refuse_ended()
        if (found := await self.credential_or_none()) is None:
            raise Conflict(f"{self.name} has no mail address. Save one first, then invite them.")
        return found

    async def invited(self, at: datetime) -> dict[str, Any] | None:
        """Return what a page shows about the person's access and the latest link by which they can set a password.

        Return None for a contact without a mail address. The dictionary has these keys besides the keys that
        `credential` returns:

        - `accepted`: whether the person has accepted an invitation.
        - `link`: the latest invitation or reset, even if it has ended, or None if there was none.
        - `link_state`: the state of `link` at `at`, as `invitations.Latest.state` returns it, or "" if `link` is None.
        """
        if (credential := await self.credential_or_none()) is None:
            return None
        link = await invitations.latest(credential["id"])
        state = link.state(at) if link else ""
        return {**credential, "accepted": credential["accepted_at"] is not None, "link": link, "link_state": state}

    async def revoke_links(self, at: datetime) -> None:
        """End the open invitation and reset links of the person. A repeat changes nothing."""
        if credential := await self.credential_or_none():
            await invitations.end_all(credential["id"], at)

    async def end(self, at: datetime) -> None:
        """End the person's access, sessions and open links at once (R12). What the person wrote stays.

        Calling it again has no further effect.
        """
        await super().end(at)
        if credential := await self.credential_or_none():
            await credentials.disable(credential["id"], at)

    async def resume(self) -> None:
        """Restore the access of a person who has left. Their old password is valid again."""
        await super().resume()
        if credential := await self.credential_or_none():
            await credentials.enable(credential["id"])
