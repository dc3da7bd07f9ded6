"""Write each mail of the portal from data that its receiver may see. Links begin with the configured base URL (R8)."""

from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, make_msgid, parseaddr
from typing import Any

from portal.contracts.company import Company
from portal.database import transaction
from portal.mailboxes import for_mail
from portal.notices import mailing
from portal.notices.inbox import Told
from portal.people import invitations
from portal.people.factors.notices import FactorChange
from portal.people.readers import SYSTEM, Reader
from portal.people.sessions import reader_of
from portal.render import render
from portal.settings import Settings


async def password_reset(credential_id: int, settings: Settings, at: datetime) -> EmailMessage | None:
    """Create a password-reset link and return the mail with it.

    Return None if the account is unknown or its access has ended. Password-reset links that were sent to this account
    before stop working.
    """
    async with transaction(None) as tx:
        receiver = await _receiver(tx, credential_id)
        if receiver is None:
            return None
        token = await invitations.begin_reset(credential_id, at)
    return _letter(
        settings, receiver, "password_reset", "Choose a new password", at, link=f"{settings.base_url}/password-resets/{token}",
        until=at + invitations.RESET_VALID,
    )  # fmt: skip


async def password_changed(
    credential_id: int, changed_at: datetime, settings: Settings, at: datetime
) -> EmailMessage | None:
    """Return the mail that tells the owner of an account that its password was changed at `changed_at` (R17).

    Return None if the account is unknown or its access has ended.
    """
    if (receiver := await _owner(credential_id)) is None:
        return None
    return _letter(
        settings, receiver, "password_changed", "Your password was changed", at, changed_at=changed_at,
        link=f"{settings.base_url}/sign-in", id=f"changed.{credential_id}.{changed_at.timestamp():.6f}",
    )  # fmt: skip


async def factor_changed(
    credential_id: int, change: FactorChange, changed_at: datetime, settings: Settings, at: datetime
) -> EmailMessage | None:
    """Return the mail that tells the owner of an account how its second factors were changed at `changed_at` (R17).

    Return None if the account is unknown or its access has ended.
    """
    if (receiver := await _owner(credential_id)) is None:
        return None
    return _letter(
        settings, receiver, "factor_changed", "Your second factor was changed", at, changed_at=changed_at, what=WHAT[change],
        link=f"{settings.base_url}/sign-in", id=f"factor.{credential_id}.{change}.{changed_at.timestamp():.6f}",
    )  # fmt: skip


async def told(batch: int, settings: Settings, at: datetime) -> EmailMessage | None:
    """Return the mail that tells a person of a batch of notices (`portal.notices.mailing`).

    It says what the person may see at the instant `at`. Mails about one case, entry or invoice refer to the same
    Message-ID, so that mail programs show them as one thread. Return None if the mail was sent, or if the person has no
    access any more, to the portal or to anything that the notices are about.
    """
    async with transaction(SYSTEM, readonly=True):
        credential_id = await mailing.receiver_of(batch)
    receiver = await _owner(credential_id) if credential_id is not None else None
    if receiver is None:
        return None
    async with transaction(receiver, readonly=True):
        items, company = await mailing.items_of(batch, receiver), await Company.find()
    if not items:
        return None
    first = items[0].told
    is_thread = len({(item.told.kind.about, item.told.subject_id) for item in items}) == 1
    subject, button = _about(first) if is_thread else (f"{len(items)} things happened", "Open the list")
    place = first.place if is_thread else ("/notices" if receiver.is_contact else "/agent/notices")
    message = _letter(
        settings, receiver, "told", subject, at, id=f"notices.{batch}", items=items, button=button,
        link=f"{settings.base_url}{place}", base=settings.base_url, company_email=company.email if company else "",
    )  # fmt: skip
    if company:
        message["Reply-To"] = for_mail(company.email)
    if is_thread:
        thread = f"<{first.kind.about}.{first.subject_id}@{_domain(settings)}>"
        message["References"] = message["In-Reply-To"] = thread
    message["List-Unsubscribe"] = f"<{settings.base_url}/account/notices>"
    return message


def _about(told: Told) -> tuple[str, str]:
    """Return the subject of a mail about a single matter, and the words of its button."""
    if told.number is not None:
        return f"#{told.number} {told.subject}", "Open the case"
    return told.words, "Open the invoice" if told.kind.about == "invoice" else "Open your time"


WHAT: dict[FactorChange, str] = {
    "authenticator_added": "an authenticator app was set up",
    "authenticator_removed": "the authenticator app was removed",
    "passkey_added": "a passkey was added",
    "passkey_removed": "a passkey was removed",
    "codes_renewed": "new recovery codes were made, and the earlier ones no longer work",
    "all_removed": "an administrator removed it, so that you sign in with your password alone",
}


async def _owner(credential_id: int) -> Reader | None:
    """Return the person who owns this credential; None if the credential is unknown or the person's access has ended."""
    async with transaction(None) as tx:
        return await _receiver(tx, credential_id)


async def _receiver(tx: Any, credential_id: int) -> Reader | None:
    row = await tx.fetchrow("select * from person_of($1)", credential_id)
    return None if row is None or row["disabled"] else reader_of(row)


def _letter(
    settings: Settings,
    receiver: Reader,
    name: str,
    subject: str,
    at: datetime,
    *,
    id: str | None = None,
    **context: Any,
) -> EmailMessage:
    """Return a mail to `receiver` with a plain-text and an HTML part, rendered from the templates `mail/<name>`.

    `context` is passed to the templates. `id` is the part of the Message-ID before the @, the same each time the mail is
    sent, so that mail programs recognise a repetition (R76); without `id`, each mail has a new Message-ID. `EmailMessage`
    raises `ValueError` for line breaks in headers (R75).
    """
    sender, mailbox = parseaddr(str(settings.mail_from))
    domain = _domain(settings)
    message = EmailMessage()
    message["From"] = formataddr((sender, for_mail(mailbox)))
    message["To"] = for_mail(receiver.email)
    message["Subject"] = subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{id}@{domain}>" if id else make_msgid(domain=domain)
    message["Auto-Submitted"] = "auto-generated"
    given = {"reader": receiver, "company": None, "now": at, "sender": sender or "the support portal"}
    message.set_content(render(f"mail/{name}.txt", **given, **context))
    message.add_alternative(render(f"mail/{name}.html", **given, **context), subtype="html")
    return message


def _domain(settings: Settings) -> str:
    """Return the domain of the sender's mail address, in which Message-IDs are unique."""
    return for_mail(parseaddr(str(settings.mail_from))[1]).rpartition("@")[2]
