"""Links in mails that switch off further mails of the same kinds, without a sign-in (RFC 8058).

A link identifies a person and what to switch off: kinds of notices, or the digest. The link is signed, so that nobody
can make a link for somebody else. Because people keep mails, a link does not expire. It works until the installation no
longer accepts the secret with which the link was signed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from portal.database import transaction
from portal.errors import NotFound
from portal.notices.choices import Choice, Choices, Mail, own_choices, save
from portal.notices.kinds import KINDS
from portal.people.access.sessions import reader_of
from portal.people.readers import Reader
from portal.sealing import Broken, Sealer

DIGEST = "digest"
"""What the link of a digest switches off: mails of every kind that the person gets in the digest."""
_PURPOSE = "unsubscribe"
_CONTACT, _AGENT = "contact", "agent"


@dataclass(frozen=True, slots=True)
class Unsubscription:
    """What the link in a mail switches off for one person. `names` are kinds of notices, or only `DIGEST`."""

    credential_id: int
    of_contact: bool
    names: tuple[str, ...]

    @classmethod
    def of(cls, receiver: Reader, names: Iterable[str]) -> Self:
        """Return the unsubscription for a mail to `receiver` about notices of these kinds, or for the digest."""
        return cls(receiver.credential_id, receiver.is_contact, tuple(sorted(set(names))))

    @classmethod
    def read(cls, token: str, sealer: Sealer) -> Self:
        """Return what a link switches off, from the token in the link.

        Raise `NotFound` for a token that is incomplete or that this installation has not signed.
        """
        try:
            credential_id, side, *names = sealer.signed(_PURPOSE, token).split()
        except Broken:
            raise NotFound from None
        return cls(int(credential_id), side == _CONTACT, tuple(names))

    def token(self, sealer: Sealer) -> str:
        """Return the token for the link `/unsubscriptions/{token}`.

        The same unsubscription always has the same token.
        """
        side = _CONTACT if self.of_contact else _AGENT
        return sealer.sign(_PURPOSE, " ".join([str(self.credential_id), side, *self.names]))

    @property
    def words(self) -> list[str]:
        """Return the account page's labels for what is switched off; kinds that no longer exist are left out."""
        if DIGEST in self.names:
            return ["The daily digest"]
        kinds = [KINDS[name] for name in self.names if name in KINDS]
        return [side.word for kind in kinds if (side := kind.side(of_contact=self.of_contact))]

    async def carry_out(self) -> None:
        """Switch the mails off for the person. What the app shows does not change.

        Calling it again has no further effect. Call this function outside a transaction: it opens its own transactions.
        Do nothing for a person whose access has ended.
        """
        async with transaction(None) as tx:
            row = await tx.fetchrow("select * from person_of($1)", self.credential_id)
        if row is None or row["disabled"]:
            return
        reader = reader_of(row)
        async with transaction(reader):
            choices = await own_choices(reader, hold=True)
            await save(reader, replace(choices, kinds={**choices.kinds, **self._switched_off(choices)}))

    def _switched_off(self, choices: Choices) -> dict[str, Choice]:
        """Return the new choices for the kinds of notices whose mails this link switches off, by the name of the kind.

        With `DIGEST` in `names`, these are all kinds that the person gets in the digest.
        """
        found = {kind.name: choices.of(kind) for kind in KINDS.values()}
        return {
            name: choice._replace(mail=Mail.NEVER)
            for name, choice in found.items()
            if choice and (name in self.names or (DIGEST in self.names and choice.mail is Mail.DIGEST))
        }
