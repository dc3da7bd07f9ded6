"""Compose the mail of a job and send it, and record the outcome."""

from dataclasses import dataclass
from datetime import datetime

import structlog

from portal.database import transaction
from portal.mail import outgoing, refusals
from portal.mail.composing import Mail
from portal.mail.letters import LETTERS, Ids, Letter
from portal.mail.outgoing import Addressee
from portal.mail.sending import NotSent, send
from portal.mailboxes import canonical
from portal.people.readers import SYSTEM
from portal.settings import Settings
from portal.words import MailState

log = structlog.get_logger("portal.mail")

NO_SERVER = "There was no mail server."
REFUSED_BEFORE = "A mail server has refused this address. No mail is sent to it until somebody says to try again."


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt, at the instant `at`, to send the mail of the job `job_id`, which was enqueued at `since`.

    `kind` is a name in `LETTERS`, and `ids` are the ids from which the mail is composed.
    """

    job_id: int
    kind: str
    ids: Ids
    since: datetime
    at: datetime

    @property
    def letter(self) -> Letter:
        """Return the kind of mail."""
        return LETTERS[self.kind]

    async def begin(self, to: Addressee, *, has_server: bool) -> bool:
        """Record the mail as waiting, kept or refused, and return True if it is waiting, so that it is sent now.

        If `has_server` is False, the mail is recorded as kept. If a mail server has refused the address before, the
        mail is recorded as refused, unless it has a link for signing in. If the recipient has been erased, record
        nothing and return False.
        """
        async with transaction(SYSTEM):
            state, reason = MailState.WAITING, ""
            if not has_server:
                state, reason = MailState.KEPT, NO_SERVER
            elif not self.letter.has_link and await refusals.find(to.email):
                state, reason = MailState.REFUSED, REFUSED_BEFORE
            tries = 1 if state is MailState.WAITING else 0
            is_recorded = await self._record(to, state, reason, tries=tries)
        return is_recorded and state is MailState.WAITING

    async def end(self, to: Addressee, failure: NotSent | None) -> MailState:
        """Record the outcome of sending the mail to `to`, and return the new state of the mail.

        If `failure` is None, the mail is recorded as sent, and an earlier refusal of the address ends. After a
        permanent failure, the mail is recorded as refused. A failure that is due to the address is also recorded as a
        refusal of the address. After any other failure, the mail is waiting to be tried again, or is given up if it was
        due too long ago. Nothing is recorded if the recipient has been erased in the meantime.
        """
        state, reason = MailState.SENT, ""
        if failure:
            is_late = self.at - self.since > self.letter.tried_for
            state = MailState.REFUSED if failure.is_permanent else MailState.GIVEN_UP if is_late else MailState.WAITING
            reason = failure.answer
        async with transaction(SYSTEM):
            if not await self._record(to, state, reason):
                return state
            if failure is None:
                await refusals.forget(to.email)
            elif failure.is_of_address:
                await refusals.record(to.email, self.kind, reason, self.at)
        return state

    async def drop(self) -> None:
        """Delete the record of a mail whose recipient has lost access or has switched off mails of this kind.

        If the kind of mail has a `note`, call it with the state None, which stands for an obsolete mail.
        """
        async with transaction(SYSTEM):
            await outgoing.drop(self.job_id)
            if self.letter.note:
                await self.letter.note(self.ids, None, "", self.at)

    async def _record(self, to: Addressee, state: MailState, reason: str, *, tries: int = 0) -> bool:
        """Record the state of the mail, and return whether it was recorded, as `outgoing.record` does.

        If the kind of mail has a `note`, also call it with every recorded state except `waiting`.
        """
        is_recorded = await outgoing.record(self.job_id, self.kind, self.ids, to, state, reason, self.at, tries=tries)
        if is_recorded and self.letter.note and state is not MailState.WAITING:
            await self.letter.note(self.ids, state, reason, self.at)
        return is_recorded


async def deliver(delivery: Delivery, settings: Settings) -> None:
    """Send the mail of a job: compose it from the present data, send it, and record the outcome (R76).

    A job that runs again, because the worker was killed, sends its mail again only if the outcome was not recorded.
    Without a mail server, the mail gets the state `kept` and waits until an admin sends it; a mail with a link for
    signing in is not even composed. To a refused address, only mails with such a link are sent. However long the mail
    has waited, it contains nothing that the recipient has switched off or may not see any more. Raise `NotSent` if the
    mail is to be tried again later; after every other outcome the job is done.
    """
    letter = delivery.letter
    if settings.smtp_url is None and letter.has_link:
        log.warning("there is no mail server", job=delivery.job_id, name=delivery.kind)
        return
    async with transaction(SYSTEM):
        if await outgoing.is_done(delivery.job_id):
            return
        if letter.recheck:
            await letter.recheck(delivery.ids, delivery.at)
    message = await letter.write(delivery.ids, settings, delivery.at)
    if message is None:
        await delivery.drop()
        return
    to = Addressee(canonical(str(message["To"])), message.credential_id)
    if await delivery.begin(to, has_server=settings.smtp_url is not None):
        await _send(delivery, message, to, str(settings.smtp_url))


async def _send(delivery: Delivery, message: Mail, to: Addressee, smtp_url: str) -> None:
    """Send a mail, and record the outcome. Raise `NotSent` if the mail is to be tried again."""
    failure = None
    try:
        await send(message, smtp_url)
    except NotSent as error:
        log.warning("a mail was not sent", job=delivery.job_id, name=delivery.kind, why=str(error))
        failure = error
    if await delivery.end(to, failure) is MailState.WAITING and failure:
        raise failure
