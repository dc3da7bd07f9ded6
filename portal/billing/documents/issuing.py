"""Issue drafts: number them, copy all printed data and make the files; issued invoices never change (D36, D37)."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from portal import outbox
from portal.billing.allocating.allocations import buyers, reallocate_sold
from portal.billing.allocating.book import Row
from portal.billing.documents import detail, files
from portal.billing.documents.contents import Contents, contents_of, draft_context
from portal.billing.documents.invoices import Invoice
from portal.billing.documents.printing import Numbering, invoice_pdf
from portal.billing.locks import lock_customers
from portal.contracts import logo
from portal.contracts.company import Company, NumberSeries
from portal.database import current
from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.people.readers import AgentReader, Reader
from portal.periods import today
from portal.regions import EU
from portal.render.letters import printing_note


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that has to be set up before an invoice can be issued.

    `sentence` says what is missing, and `address` is the URL of the page where it is set up.
    """

    sentence: str
    address: str


async def missing() -> list[Missing]:
    """Return what has to be set up before any invoice can be issued; an empty list if the set-up is complete."""
    wanted = []
    if await Company.find() is None:
        wanted.append(
            Missing("Who issues the invoice is not set up: our name, address, VAT id and bank.", "/agent/setup/company")
        )
    if await NumberSeries.find() is None:
        wanted.append(Missing("Where the numbers of invoices begin is not set up.", "/agent/setup/company"))
    return wanted


def missing_on(about: Row) -> list[Missing]:
    """Return what a draft lacks before it can be issued, assuming that the company is set up.

    `about` is the row that `draft_context` returns. A draft may lack the order number that its contract demands (D46).
    It may lack the customer's VAT id, if a customer in another country of the EU is charged without VAT (D42).
    """
    wanted, customer = list[Missing](), f"/agent/customers/{about['customer_id']}"
    if about["requires_order"] and not (about["order_reference"] or "").strip():
        sentence = f"“{about['contract_name']}” demands the customer’s order number on its invoices. Enter it first."
        wanted.append(Missing(sentence, f"{customer}/contracts/{about['contract_id']}#order_reference"))
    is_abroad = about["country"] != about["home"] and about["country"] in EU
    if about["is_untaxed"] and is_abroad and not about["vat_id"]:
        sentence = f"{about['legal_name']} is charged without VAT in another country of the EU, so the invoice needs their VAT id."
        wanted.append(Missing(sentence, f"{customer}/edit#vat_id"))
    return wanted


async def issue(draft_id: int, *, by: AgentReader, at: datetime, seen: str | None = None) -> Invoice:
    """Issue a draft: give it a number, copy the data printed on it, and store its PDF and CSV. Return the invoice.

    No amount is computed again. The instant of issue is `at`, or the instant at which the previous number was issued if
    that is later. The date of issue is the day of this instant in the company's time zone. The number series is locked
    until the transaction ends, and the outbox gets a row. `seen` is the sum to pay that the page showed, or None if
    there was no page.

    Raise `Conflict` if the sum to pay is no longer `seen`, or if the draft has been issued already. Raise `NotFound` if
    there is no such draft, and `Forbidden` if `by` is not a manager. Raise `Invalid` if the company or the number
    series is not set up, or if the draft lacks something (`missing_on`). Raise `Unavailable` if the PDF cannot be made
    in time.
    """
    invoice = await _locked(draft_id, by)
    if seen is not None and seen != str(invoice.payable):
        raise Conflict("The draft has changed. Look at the sum again, then issue it.")
    if lacking := await missing() or missing_on(await draft_context(invoice)):
        raise Invalid({"": lacking[0].sentence})
    parties, payment_days, zone = await parties_of(invoice.contract_id, by)
    contents = await contents_of(invoice)
    await detail.copy(contents.detail, invoice.customer_id, invoice_id=invoice.id)

    # The PDF shows the number. It is made with the expected number before the counter is locked, so that the lock is
    # short. If the invoice then gets another number or date, the PDF is made again.
    likely = _numbering(await _next_number(), at, payment_days, zone)
    picture = await logo.find()
    pdf = await invoice_pdf(invoice, contents, parties, likely, picture)
    taken = await NumberSeries.take()
    last = await current().fetchval(
        "select issued_at from invoice where series_id = $1 order by series_number desc limit 1", taken.series_id
    )
    at = max(at, last or at)
    numbering = _numbering(taken.printed, at, payment_days, zone)
    if numbering != likely:
        pdf = await invoice_pdf(invoice, contents, parties, numbering, picture)

    await files.keep("pdf", pdf, invoice.customer_id, invoice_id=invoice.id)
    await _keep_csv(invoice, contents, numbering)
    await Invoice.update(
        state="issued", series_id=taken.series_id, series_number=taken.series_number, number=numbering.number, issued_at=at,
        issued_by_id=by.id, issue_date=numbering.issue_date, due_on=numbering.due_on, parties=json.dumps(parties),
    ).where(Invoice.id == invoice.id)  # fmt: skip
    await reallocate_sold(invoice.id)
    await outbox.tell(
        kind="invoice.issued",
        subject_id=invoice.id,
        customer_id=invoice.customer_id,
        contact_may_know=True,
        actor=by,
        at=at,
        record_id=invoice.id,
    )
    return await Invoice.find(numbering.number, by)


async def unprinted(draft: Invoice, contents: Contents, by: AgentReader) -> str:
    """Return a sentence that lists the characters of a draft that the PDF cannot show, or "" if it can show all.

    The data of the company are checked too, so the company must be set up.
    """
    parties, _, _ = await parties_of(draft.contract_id, by)
    texts = [value for party in parties.values() if isinstance(party, dict) for value in party.values()]
    texts += [line.words for line in contents.lines] + contents.exemptions + [draft.note]
    if parties["contract"]["prints_detail"]:
        texts += [row.external_comment for row in contents.detail]
    return printing_note(" ".join(text for text in texts if isinstance(text, str)))


async def _locked(draft_id: int, by: AgentReader) -> Invoice:
    """Return the draft, locked so that no other transaction can change or issue it before this transaction ends.

    Raise `Forbidden` if `by` is not a manager, `NotFound` if there is no such draft, `Conflict` if it has been issued.
    """
    if not by.is_manager:
        raise Forbidden("Only managers may issue invoices.")
    # A voucher may become usable when its invoice is issued (D25), and then pays for open time. Lock customers first.
    await lock_customers(await buyers(draft_id))
    row = await current().fetchrow("select state, number from invoice where id = $1 for update", draft_id)
    if row is None:
        raise NotFound
    if row["state"] == "issued":
        raise Conflict(f"It is issued already, as {row['number']}.")
    return await Invoice.find_draft(draft_id, by)


async def _next_number() -> str:
    series = await NumberSeries.find()
    return series.printed(series.next_number) if series else ""


def _numbering(number: str, at: datetime, payment_days: int, zone: str) -> Numbering:
    issue_date = today(zone, at)
    return Numbering(number, issue_date, issue_date + timedelta(days=payment_days))


_PARTIES = """
select to_jsonb(c) as seller, to_jsonb(u) as buyer, to_jsonb(t) as contract, t.payment_days, c.time_zone
from company c, customer u join contract t on t.customer_id = u.id where t.id = $1
"""
_NAMES = ("legal_name", "street", "postcode", "city", "country", "vat_id")


async def parties_of(contract_id: int, by: Reader) -> tuple[dict[str, Any], int, str]:
    """Return the data that a document of a contract prints, the days until payment, and the company's time zone.

    The data are the present data of the seller (the company), the buyer (the customer), the bank and the contract, and
    the name of `by` as the name of the issuer.
    """
    row = await current().fetchrow(_PARTIES, contract_id)
    seller, buyer, contract = (json.loads(row[name]) for name in ("seller", "buyer", "contract"))
    iban = seller["iban"].replace(" ", "")
    parties = {
        "seller": {name: seller[name] for name in (*_NAMES, "name", "email", "phone")},
        "buyer": {name: buyer[name] for name in (*_NAMES, "name")},
        "bank": {
            "name": seller["bank_name"],
            "iban": iban,
            "iban_spaced": "\N{NO-BREAK SPACE}".join(iban[at : at + 4] for at in range(0, len(iban), 4)),
            "bic": seller["bic"],
        },
        "contract": {
            name: contract[name]
            for name in ("name", "payment_days", "order_reference", "requires_order", "prints_detail")
        },
        "issued_by": by.name,
        "time_zone": seller["time_zone"],
    }
    return parties, row["payment_days"], row["time_zone"]


async def _keep_csv(invoice: Invoice, contents: Contents, numbering: Numbering) -> None:
    content = await files.csv(f"Invoice {numbering.number}", contents.detail, invoice.currency)
    await files.keep("csv", content, invoice.customer_id, invoice_id=invoice.id)
