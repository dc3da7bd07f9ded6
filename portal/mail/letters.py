"""Compose each mail of the portal from data that its recipient may see. Links begin with the base URL (R8)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from portal.billing import CreditNote, Invoice, stored
from portal.contracts.company import Company
from portal.database import transaction
from portal.desk.verbs.rating_link import rating_link
from portal.errors import NotFound
from portal.mail.composing import Accounts, Mail, Receiver, domain_of, letter, name_in
from portal.mailboxes import for_mail
from portal.notices import invoice_mails, mailing
from portal.notices.inbox import Told
from portal.notices.unsubscribing import DIGEST, Unsubscription
from portal.people import invitations
from portal.people.customers import Customer
from portal.people.factors.notices import FactorChange
from portal.people.readers import SYSTEM, Reader
from portal.people.sessions import reader_of
from portal.settings import Settings
from portal.words import MailState


async def _letter(
    settings: Settings,
    receiver: Receiver,
    name: str,
    subject: str,
    at: datetime,
    *,
    answers_to: str = "",
    **context: Any,
) -> Mail:
    """Return a mail, as `composing.letter` does, signed with the name in PORTAL_MAIL_FROM or else that of the company.

    Before the company is set up, the signature is "the support portal". Replies go to `answers_to`, or else to the mail
    address of the company; the text of the mail says so.
    """
    async with transaction(SYSTEM, readonly=True):
        company = await Company.find()
    sender = name_in(settings) or (company.name if company else "the support portal")
    answers_to = answers_to or (company.email if company else "")
    message = letter(settings, receiver, name, subject, at, sender=sender, answers_to=answers_to, **context)
    if answers_to:
        message["Reply-To"] = for_mail(answers_to)
    return message


async def password_reset(login_id: int, settings: Settings, at: datetime) -> Mail | None:
    """Create a link to reset the password of a login, and return the mail with the link.

    Earlier such links of the login stop working. Return None if the login is unknown or its owner has lost access.
    """
    async with transaction(None) as tx:
        receiver = await _owner_of_login(tx, login_id)
        if receiver is None:
            return None
        token = await invitations.begin_reset(receiver.credential_id, at)
    return await _reset(settings, receiver, token, at)


async def _reset(settings: Settings, receiver: Reader, token: str, at: datetime) -> Mail:
    return await _letter(
        settings, receiver, "password_reset", "Choose a new password", at, link=f"{settings.base_url}/password-resets/{token}",
        until=at + invitations.RESET_VALID,
    )  # fmt: skip


async def invitation(invitation_id: int, settings: Settings, at: datetime) -> Mail | None:
    """Make a link that somebody asked the portal to mail, and return the mail with it.

    The link is for an invitation or a new password. Return None if it was mailed already, has ended or expired, or if
    the recipient has lost access. Each mail has a new Message-ID, because a mail that is sent again has a new link.
    """
    async with transaction(None) as tx:
        made = await invitations.renew(invitation_id, at)
        receiver = await _receiver(tx, made.credential_id) if made else None
        inviter = await _receiver(tx, made.made_by_id) if made and made.made_by_id else None
        if made is None or receiver is None:
            return None
        joins = (await invitations.find(made.token, at, made.kind)).joins
    if made.kind == "reset":
        return await _reset(settings, receiver, made.token, at)
    async with transaction(SYSTEM, readonly=True):
        company = await Company.find()
    house = company.name if company else ""
    return await _letter(
        settings, receiver, "invitation", f"Your access to the portal of {house}" if house else "Your access to the portal", at,
        link=f"{settings.base_url}/invitations/{made.token}", until=made.expires_at, house=house, joins=joins,
        inviter=inviter.name if inviter else "",
    )  # fmt: skip


async def password_changed(login_id: int, changed_at: datetime, settings: Settings, at: datetime) -> Mail | None:
    """Return the mail that tells the owner of a login that its password was changed at `changed_at` (R17).

    Return None if the login is unknown or its owner has lost access.
    """
    async with transaction(None, readonly=True) as tx:
        receiver = await _owner_of_login(tx, login_id)
    if receiver is None:
        return None
    return await _letter(
        settings, receiver, "password_changed", "Your password was changed", at, changed_at=changed_at,
        link=f"{settings.base_url}/sign-in", id=f"changed.{login_id}.{changed_at.timestamp():.6f}",
    )  # fmt: skip


async def factor_changed(
    login_id: int, change: FactorChange, changed_at: datetime, settings: Settings, at: datetime
) -> Mail | None:
    """Return the mail that tells the owner of a login how its second factors were changed at `changed_at` (R17).

    Return None if the login is unknown or its owner has lost access.
    """
    async with transaction(None, readonly=True) as tx:
        receiver = await _owner_of_login(tx, login_id)
    if receiver is None:
        return None
    return await _letter(
        settings, receiver, "factor_changed", "Your second factor was changed", at, changed_at=changed_at, what=WHAT[change],
        link=f"{settings.base_url}/sign-in", id=f"factor.{login_id}.{change}.{changed_at.timestamp():.6f}",
    )  # fmt: skip


async def told(batch: int, settings: Settings, at: datetime) -> Mail | None:
    """Return the mail with those notices of a batch (`portal.notices.mailing`) that its recipient may see now.

    Mails about one case, entry or invoice refer to the same Message-ID, so that mail programs show them as one thread.
    A mail about one solved case has a link to rate the solution. Return None if the batch does not exist, or if the
    recipient no longer has access to the portal or may see none of the notices any more.
    """
    async with transaction(SYSTEM, readonly=True):
        found = await mailing.find(batch)
    receiver = await _owner(found.credential_id) if found else None
    if found is None or receiver is None:
        return None
    async with transaction(receiver, readonly=True):
        items = await mailing.items_of(batch, receiver)
        is_thread = len({(item.told.kind.about, item.told.subject_id) for item in items}) == 1
        link = await rating_link(items[0].told.number, receiver, at) if is_thread else None
    if not items:
        return None
    first = items[0].told
    subject, button = _about(first) if is_thread else (f"{len(items)} things happened", "Open the list")
    place = first.place if is_thread else ("/notices" if receiver.is_contact else "/agent/notices")
    stopped = Unsubscription.of(receiver, [DIGEST] if found.is_digest else [item.told.kind.name for item in items])
    stop = f"{settings.base_url}/unsubscriptions/{stopped.token(settings.sealer)}"
    message = await _letter(
        settings, receiver, "told", subject, at, id=f"notices.{batch}", items=items, button=button, stop=stop,
        rate=f"{settings.base_url}/ratings/{link.token(settings.sealer)}" if link else "", reasons=stopped.words,
        link=f"{settings.base_url}{place}", base=settings.base_url,
    )  # fmt: skip
    if is_thread:
        thread = f"<{first.kind.about}.{first.subject_id}@{domain_of(settings)}>"
        message["References"] = message["In-Reply-To"] = thread
    _let_stop(message, stop)
    return message


def _let_stop(message: Mail, stop: str) -> None:
    """Add the headers by which mail programs offer to unsubscribe with one click (RFC 8058), with the link `stop`."""
    message["List-Unsubscribe"] = f"<{stop}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"


def _about(told: Told) -> tuple[str, str]:
    """Return the subject and the label of the button of a mail whose notices are all about one thing."""
    if told.number is not None:
        return f"#{told.number} {told.subject}", "Open the case"
    return told.words, told.kind.button


async def invoice(mail_id: int, settings: Settings, at: datetime) -> Mail | None:
    """Return the mail with an invoice or credit note: PDF, link, and the CSV if the customer wants it (C7, R77).

    The files are those that were stored when the document was issued. Return None if the contact was erased, has no
    access or may not see invoices any more, or if the customer has changed the accounts address.
    """
    async with transaction(SYSTEM, readonly=True):
        due = await invoice_mails.find(mail_id)
        if due is None:
            return None
        accounts = await _accounts(due.customer_id) if due.contact_id is None else None
        credential = await invoice_mails.credential_of(due.contact_id) if due.contact_id else None
    receiver: Reader | Accounts | None = await _owner(credential) if credential else accounts
    if receiver is None or (due.email and due.email != receiver.email):
        return None
    reader = SYSTEM if isinstance(receiver, Accounts) else receiver
    try:
        async with transaction(reader, readonly=True):
            found = await Invoice.find_issued(due.invoice_id, reader)
            customer = await Customer.find(due.customer_id, reader)
            note = await CreditNote.find_issued(due.credit_note_id, reader) if due.credit_note_id else None
            paper = note or found
            pdf, csv = await stored("pdf", paper), await stored("csv", paper) if customer.invoices_with_csv else None
    except NotFound:
        return None
    seller, stop = found.copied["seller"], ""
    place, name = ("credit-notes", f"Credit note {paper.number}") if note else ("invoices", f"Invoice {paper.number}")
    if not isinstance(receiver, Accounts):
        stopped = Unsubscription.of(receiver, ["invoice.issued"])
        stop = f"{settings.base_url}/unsubscriptions/{stopped.token(settings.sealer)}"
    message = await _letter(
        settings, receiver, "credit_note" if note else "invoice", f"{name} from {seller['name']}", at, id=f"invoice-mail.{mail_id}",
        invoice=found, note=note, parties=found.copied, has_csv=csv is not None, stop=stop, customer=customer.name,
        button="Open the credit note" if note else "Open the invoice", link=f"{settings.base_url}/{place}/{paper.number}", base=settings.base_url,
        answers_to=seller["email"],
    )  # fmt: skip
    message["References"] = message["In-Reply-To"] = f"<invoice.{found.id}@{domain_of(settings)}>"
    if stop:
        _let_stop(message, stop)
    message.add_attachment(pdf, maintype="application", subtype="pdf", filename=f"{paper.number}.pdf")
    if csv is not None:
        message.add_attachment(
            csv, maintype="text", subtype="csv", filename=f"{paper.number}.csv", params={"charset": "utf-8"}
        )
    return message


async def _accounts(customer_id: int) -> Accounts | None:
    """Return the accounts mail address of a customer as the recipient of a mail. Run as `SYSTEM`.

    Return None if the customer has no such address or the company is not set up.
    """
    customer, company = await Customer.find(customer_id, SYSTEM), await Company.find()
    return Accounts(customer.email, customer.name, company.time_zone) if customer.email and company else None


WHAT: dict[FactorChange, str] = {
    "authenticator_added": "an authenticator app was set up",
    "authenticator_removed": "the authenticator app was removed",
    "passkey_added": "a passkey was added",
    "passkey_removed": "a passkey was removed",
    "codes_renewed": "new recovery codes were made, and the earlier ones no longer work",
    "all_removed": "an administrator removed it, so that you sign in with your password alone",
}
"""What happened to the second factors of a login, as a clause of the mail."""


async def _owner(credential_id: int) -> Reader | None:
    """Return the person who owns this credential; None if the credential is unknown or the person's access has ended."""
    async with transaction(None) as tx:
        return await _receiver(tx, credential_id)


async def _owner_of_login(tx: Any, login_id: int) -> Reader | None:
    """Return the owner of a login, as the reader of a credential whose invitation was accepted; None if there is none.

    `login_id` is the id of any credential of the person: when the credential that holds the login is erased, the login
    moves to another.
    """
    row = await tx.fetchrow(
        "select p.* from credential c cross join lateral person_of(c.id) p"
        " where c.login_id = (select login_id from credential where id = $1) and c.accepted_at is not null and not p.disabled"
        " order by c.id = $1 desc, c.id limit 1",
        login_id,
    )  # fmt: skip
    return reader_of(row) if row else None


async def _receiver(tx: Any, credential_id: int) -> Reader | None:
    """Return the person who owns this credential, as `_owner` does, in the open transaction `tx`."""
    row = await tx.fetchrow("select * from person_of($1)", credential_id)
    return None if row is None or row["disabled"] else reader_of(row)


Ids = dict[str, int | str]


@dataclass(frozen=True, slots=True)
class Letter:
    """A kind of mail.

    `word` is the name of the kind for admins. `write` returns the mail for the ids with which the job was enqueued, or
    None if the mail has become obsolete. A mail that was due longer than `tried_for` ago is given up. With `has_link`,
    the mail has a link by which its reader signs in. Such a mail is never shown to admins, and is sent even to a
    refused address. `note` also records the outcome elsewhere, such as in the row of the invitation, in the same
    transaction. It gets the ids, the state (None for an obsolete mail), the reason and the instant. `recheck` gets the
    ids and the instant before each attempt to send the mail. It removes what the recipient has switched off.
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
