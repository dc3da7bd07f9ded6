"""List the kinds of mails: which function writes a mail from the ids of its job, and which one records the outcome.

A mail contains only what its recipient may see, and its links begin with the base URL (R8).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from portal.mail.accounts import factor_changed, invitation, password_changed, password_reset
from portal.mail.composing import Mail
from portal.mail.documents import invoice
from portal.mail.notices import told
from portal.notices import invoice_mails, mailing
from portal.people.access import invitations
from portal.people.factors.notices import FactorChange
from portal.settings import Settings
from portal.words import MailState

Ids = dict[str, int | str]


@dataclass(frozen=True, slots=True)
class Letter:
    """A kind of mail.

    - `word`: the name of the kind for admins.
    - `write`: returns the mail for the ids with which the job was enqueued, or None if it has become obsolete.
    - `tried_for`: how long a mail is tried after it was due; then it is given up.
    - `has_link`: the mail has a link to sign in. Admins never see such a mail. It is sent even to a refused address.
    - `note`: records the outcome a second time in the same transaction, for example in the row of the invitation. It
      gets the ids, the state (None for an obsolete mail), the reason and the instant.
    - `recheck`: gets the ids and the instant before each attempt, and removes what the recipient has switched off.
    """

    word: str
    write: Callable[[Ids, Settings, datetime], Awaitable[Mail | None]]
    tried_for: timedelta = timedelta(days=1)
    has_link: bool = False
    note: Callable[[Ids, MailState | None, str, datetime], Awaitable[None]] | None = None
    recheck: Callable[[Ids, datetime], Awaitable[None]] | None = None


async def _write_password_reset(ids: Ids, settings: Settings, at: datetime) -> Mail | None:
    return await password_reset(int(ids["credential"]), settings, at)


async def _write_invitation(ids: Ids, settings: Settings, at: datetime) -> Mail | None:
    return await invitation(int(ids["invitation"]), settings, at)


async def _note_invitation(ids: Ids, state: MailState | None, _: str, at: datetime) -> None:
    """Record in the invitation that it was mailed, for the page about the person. Do nothing for other outcomes."""
    if state is MailState.SENT:
        await invitations.mark_mailed(int(ids["invitation"]), at)


async def _write_password_changed(ids: Ids, settings: Settings, at: datetime) -> Mail | None:
    return await password_changed(int(ids["credential"]), datetime.fromisoformat(str(ids["at"])), settings, at)


async def _write_factor_changed(ids: Ids, settings: Settings, at: datetime) -> Mail | None:
    change, changed_at = cast("FactorChange", ids["change"]), datetime.fromisoformat(str(ids["at"]))
    return await factor_changed(int(ids["credential"]), change, changed_at, settings, at)


async def _write_told(ids: Ids, settings: Settings, at: datetime) -> Mail | None:
    return await told(int(ids["batch"]), settings, at)


async def _recheck_told(ids: Ids, _: datetime) -> None:
    await mailing.leave_out_stopped(int(ids["batch"]))


async def _write_invoice(ids: Ids, settings: Settings, at: datetime) -> Mail | None:
    return await invoice(int(ids["mail"]), settings, at)


async def _note_invoice(ids: Ids, state: MailState | None, reason: str, at: datetime) -> None:
    await invoice_mails.end(int(ids["mail"]), state, at, reason)


async def _recheck_invoice(ids: Ids, at: datetime) -> None:
    await invoice_mails.withdraw_stopped(int(ids["mail"]), at)


LETTERS: dict[str, Letter] = {
    "mail_notices": Letter("What happened", _write_told, recheck=_recheck_told),
    "mail_invoice": Letter("An invoice", _write_invoice, note=_note_invoice, recheck=_recheck_invoice),
    "mail_password_reset": Letter(
        "A link for a new password", _write_password_reset, invitations.RESET_VALID, has_link=True
    ),
    "mail_invitation": Letter(
        "An invitation or a link for a new password", _write_invitation, has_link=True, note=_note_invitation
    ),
    "mail_password_changed": Letter("A password was changed", _write_password_changed),
    "mail_factor_changed": Letter("A second factor was changed", _write_factor_changed),
}
"""All kinds of mails, by the name of the job that sends them."""
