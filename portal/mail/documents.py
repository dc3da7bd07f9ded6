"""Write the mails that bring invoices and credit notes as files."""

from datetime import datetime

from portal.billing import CreditNote, Invoice, stored
from portal.contracts.company import Company
from portal.database import transaction
from portal.errors import NotFound
from portal.mail.composing import Mail, compose, domain_of, let_stop
from portal.mail.receivers import Accounts, owner
from portal.notices import invoice_mails
from portal.notices.unsubscribing import Unsubscription
from portal.people.customers import Customer
from portal.people.readers import SYSTEM, Reader
from portal.settings import Settings


async def invoice(mail_id: int, settings: Settings, at: datetime) -> Mail | None:
    """Return the mail with an invoice or credit note: PDF, link, and the CSV if the customer wants it (C7, R77).

    The files are those that were stored when the document was issued. Return None if the mail was withdrawn, if the
    contact was erased, has no access or may not see invoices any more, or if the customer has changed the accounts
    address.
    """
    async with transaction(SYSTEM, readonly=True):
        due = await invoice_mails.find(mail_id)
        if due is None:
            return None
        accounts = await _accounts(due.customer_id) if due.contact_id is None else None
        credential = await invoice_mails.credential_of(due.contact_id) if due.contact_id else None
    receiver: Reader | Accounts | None = await owner(credential) if credential else accounts
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
    message = await compose(
        settings, receiver, "credit_note" if note else "invoice", f"{name} from {seller['name']}", at, id=f"invoice-mail.{mail_id}",
        invoice=found, note=note, parties=found.copied, has_csv=csv is not None, stop=stop, customer=customer.name,
        button="Open the credit note" if note else "Open the invoice", link=f"{settings.base_url}/{place}/{paper.number}", base=settings.base_url,
        answers_to=seller["email"],
    )  # fmt: skip
    message["References"] = message["In-Reply-To"] = f"<invoice.{found.id}@{domain_of(settings)}>"
    if stop:
        let_stop(message, stop)
    message.add_attachment(pdf, maintype="application", subtype="pdf", filename=f"{paper.number}.pdf")
    if csv is not None:
        message.add_attachment(
            csv, maintype="text", subtype="csv", filename=f"{paper.number}.csv", params={"charset": "utf-8"}
        )
    return message


async def _accounts(customer_id: int) -> Accounts | None:
    """Return the accounts mail address of a customer as the recipient of a mail.

    The caller's transaction must run as `SYSTEM`.

    Return None if the customer has no such address or the company is not set up.
    """
    customer, company = await Customer.find(customer_id, SYSTEM), await Company.find()
    return Accounts(customer.email, customer.name, company.time_zone) if customer.email and company else None
