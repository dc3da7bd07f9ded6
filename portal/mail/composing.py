"""Compose a mail: its headers, and its plain-text and HTML parts, which are rendered from templates."""

from datetime import datetime
from email.headerregistry import HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import default
from email.utils import format_datetime, formataddr, make_msgid, parseaddr
from typing import Any

from portal.contracts.company import Company
from portal.database import transaction
from portal.mail.receivers import Receiver
from portal.mailboxes import for_mail
from portal.people.readers import SYSTEM
from portal.render import render
from portal.settings import Settings

NOBODY = "portal@localhost"
"""The sender's mail address if no sender is configured. Mails from this address are kept and not sent."""


class Mail(EmailMessage):
    """A mail of the portal.

    `credential_id` is the recipient's credential, or None if nobody signs in with the address.
    """

    credential_id: int | None = None


async def compose(
    settings: Settings,
    receiver: Receiver,
    name: str,
    subject: str,
    at: datetime,
    *,
    answers_to: str = "",
    **context: Any,
) -> Mail:
    """Return a mail, as `_letter` does, signed with the name in PORTAL_MAIL_FROM or else with the company's name.

    Before the company is set up, the signature is "the support portal". Replies go to `answers_to`, or else to the mail
    address of the company; the text of the mail names this address.
    """
    async with transaction(SYSTEM, readonly=True):
        company = await Company.find()
    sender = _name_in(settings) or (company.name if company else "the support portal")
    answers_to = answers_to or (company.email if company else "")
    message = _letter(settings, receiver, name, subject, at, sender=sender, answers_to=answers_to, **context)
    if answers_to:
        message["Reply-To"] = for_mail(answers_to)
    return message


def _letter(
    settings: Settings,
    receiver: Receiver,
    name: str,
    subject: str,
    at: datetime,
    *,
    sender: str,
    id: str | None = None,
    **context: Any,
) -> Mail:
    """Return a mail to `receiver` with a plain-text and an HTML part, rendered from the templates `mail/<name>`.

    `sender` is the name that signs the mail, and `context` is passed to the templates. `id` is the part of the
    Message-ID before the @. It must be the same each time the mail is sent, so that mail programs recognise a repeated
    mail (R76); without `id`, each mail gets a new Message-ID. `EmailMessage` raises `ValueError` for line breaks in
    headers (R75).
    """
    mailbox = parseaddr(settings.mail_from or NOBODY)[1]
    domain = domain_of(settings)
    message = Mail(policy=_POLICY)
    message.credential_id = getattr(receiver, "credential_id", None)
    message["From"] = formataddr((sender, for_mail(mailbox)))
    message["To"] = for_mail(receiver.email)
    message["Subject"] = subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{id}@{domain}>" if id else make_msgid(domain=domain)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    given = {
        "reader": receiver,
        "company": None,
        "now": at,
        "sender": sender,
        "subject": subject,
    }
    message.set_content(render(f"mail/{name}.txt", **given, **context))
    message.add_alternative(render(f"mail/{name}.html", **given, **context), subtype="html")
    return message


def let_stop(message: Mail, stop: str) -> None:
    """Add the headers by which mail programs offer to unsubscribe with one click (RFC 8058), with the link `stop`."""
    message["List-Unsubscribe"] = f"<{stop}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"


def _name_in(settings: Settings) -> str:
    """Return the name in PORTAL_MAIL_FROM, or "" if it has only a mail address."""
    return parseaddr(settings.mail_from or NOBODY)[0]


def domain_of(settings: Settings) -> str:
    """Return the domain of the sender's mail address, in which Message-IDs are unique."""
    return for_mail(parseaddr(settings.mail_from or NOBODY)[1]).rpartition("@")[2]


class _Unfolded(UnstructuredHeader):
    """A header that is written on one line, such as one with a URL.

    The standard library would split a long URL into encoded words, which mail programs do not join again.
    """

    def fold(self, *, policy: Any) -> str:
        return f"{self.name}: {self}{policy.linesep}"  # type: ignore[attr-defined]


_HEADERS = HeaderRegistry()
for _name in ("List-Unsubscribe", "References", "In-Reply-To"):
    _HEADERS.map_to_type(_name, _Unfolded)  # type: ignore[arg-type]
_POLICY = default.clone(header_factory=_HEADERS)
