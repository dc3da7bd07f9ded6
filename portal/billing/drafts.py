"""Store draft invoices as the engine computes them, take single entries off a draft, and delete drafts.

A time entry is settled if a draft, an issued invoice or a statement contains it.
"""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import date, datetime

from portal import outbox
from portal.billing import book
from portal.billing.allocations import reallocate
from portal.billing.book import Book
from portal.billing.bounds import fits
from portal.billing.chosen import lock_customers
from portal.billing.engine import Document, DocumentKind, Entry, Key, bill
from portal.billing.invoices import Invoice, InvoiceLine, InvoiceVat, LineAllocation, SettledEntry
from portal.database import current
from portal.database.rows import insert_all
from portal.errors import Conflict, Forbidden, NotFound
from portal.people.readers import AgentReader

GONE = "It was issued or deleted meanwhile."


async def store(of: Book, document: Document, run_id: int) -> int:
    """Store an invoice that the engine computed as a draft, settle its entries, and return the draft's id.

    The caller must have locked the customer and stored the allocations.
    """
    first, last = supply_of(of, document)
    [invoice] = await Invoice.insert(
        Invoice(
            customer_id=of.customer_id, contract_id=document.contract, run_id=run_id, state="draft", until=document.until,
            currency=of.currency, supply_from=first, supply_to=last, net=document.net, tax=document.tax, gross=document.gross,
        )
    )  # fmt: skip
    invoice_id: int = invoice["id"]
    await _fill(invoice_id, of, document)
    return invoice_id


async def _fill(invoice_id: int, of: Book, document: Document) -> None:
    """Store the lines and the VAT of a draft, and settle its entries."""
    await settle(of.customer_id, document.detail, invoice_id=invoice_id)
    places = of.state.places()
    lines = list(enumerate(document.lines, 1))
    draft = {"customer_id": of.customer_id, "invoice_id": invoice_id, "currency": of.currency}
    await insert_all(
        InvoiceLine,
        [
            draft | {
                "position": position, "kind": line.kind.value, "service_id": line.service,
                "service_name": places[line.service][1].name, "label": line.label, "minutes": line.minutes,
                "unit_price": line.unit_price, "net": line.net, "vat_category": line.vat.category.value,
                "vat_rate": line.vat.rate, "exemption_reason": of.exemptions.get(int(line.service)),
            }
            for position, line in lines
        ],
    )  # fmt: skip
    pieces = [(piece.entry, piece.place, position) for position, line in lines for piece in line.allocations]
    await current().execute(
        "insert into line_allocation (allocation_id, customer_id, invoice_id, line_id)"
        " select a.id, $1, $2, l.id from unnest($3::bigint[], $4::smallint[], $5::int[]) as p (entry_id, place, line)"
        " join allocation a on a.entry_id = p.entry_id and a.position = p.place join invoice_line l on l.invoice_id = $2 and l.position = p.line",
        of.customer_id, invoice_id, *([piece[column] for piece in pieces] for column in range(3)),
    )  # fmt: skip
    await insert_all(
        InvoiceVat,
        [
            draft | {"category": group.vat.category.value, "rate": group.vat.rate, "base": group.base, "tax": group.tax}
            for group in document.vat
        ],
    )


async def settle(
    customer_id: int, entry_ids: Sequence[Key], *, invoice_id: int | None = None, statement_id: uuid.UUID | None = None
) -> None:
    """Record that the draft invoice or the statement with this id settles these entries. Pass exactly one of the ids.

    The database refuses an entry that is not approved or that is settled already.
    """
    await current().execute(
        "insert into settled_entry (entry_id, customer_id, invoice_id, statement_id) select id, $2, $3, $4 from unnest($1::bigint[]) as e (id)",
        list(entry_ids), customer_id, invoice_id, statement_id,
    )  # fmt: skip


def supply_of(of: Book, document: Document) -> tuple[date, date]:
    """Return the first and the last day of a document's period of supply (D43).

    That period covers the days of the work and the days that fees pay for. A document without either, such as one for a
    voucher alone, gets the day `until` of the run as both.
    """
    entries: dict[Key, Entry] = {entry.id: entry for entry in of.state.entries}
    days = [entries[id].date for id in document.detail]
    for line in document.lines:
        if line.active is not None:
            days += [line.active.start, date.fromordinal((line.active.end or document.until).toordinal() - 1)]
    return (min(days), max(days)) if days else (document.until, document.until)


async def take_off(draft_id: int, entry_id: int, *, by: AgentReader, at: datetime) -> Invoice | None:
    """Take one time entry off a draft, compute the draft again at the approved prices, and return it.

    The next billing run bills the entry. If nothing to charge is left on the draft, delete it, so that the next run bills
    its other entries too, and return None. The change is written to the outbox. Raise `Conflict` if the draft was issued
    or deleted, does not contain the entry, or would still be larger than one document can be, and `Forbidden` if `by` is
    not a manager.
    """
    draft = await _locked(draft_id, by)
    settled: list[int] = (
        await SettledEntry.select(SettledEntry.entry_id).where(SettledEntry.invoice_id == draft_id).output(as_list=True)
    )
    if entry_id not in settled:
        raise Conflict("This time is no longer on the draft.")
    await _empty(draft_id)
    remade = await _document([id for id in settled if id != entry_id], draft)
    await _tell(draft, by, at)
    if remade is None:
        await Invoice.delete().where(Invoice.id == draft_id)
        await reallocate([draft.customer_id])
        return None
    of, document = remade
    if not fits(document):
        raise Conflict("What is left on this draft is more than one document can hold: delete the draft instead.")
    first, last = supply_of(of, document)
    await Invoice.update(
        net=document.net, tax=document.tax, gross=document.gross, supply_from=first, supply_to=last
    ).where(Invoice.id == draft_id)
    await _fill(draft_id, of, document)
    await reallocate([draft.customer_id])
    return await Invoice.find_draft(draft_id, by)


async def delete(draft_id: int, *, by: AgentReader, at: datetime) -> None:
    """Delete a draft, so that the next billing run bills its entries, and write the change to the outbox.

    A draft has no number, so no number is lost. Raise `Conflict` if the draft was issued or deleted before, `Forbidden`
    if `by` is not a manager.
    """
    draft = await _locked(draft_id, by)
    await _empty(draft_id)
    await Invoice.delete().where(Invoice.id == draft_id)
    await reallocate([draft.customer_id])
    await _tell(draft, by, at)


async def _locked(draft_id: int, by: AgentReader) -> Invoice:
    """Lock the customer of a draft and then the draft, and return the draft. Decisions on time lock in the same order.

    Raise `Forbidden` if `by` is not a manager, `Conflict` if the draft was issued or deleted.
    """
    if not by.is_manager:
        raise Forbidden("Only managers may change drafts.")
    found = await Invoice.objects().where(Invoice.id == draft_id).first()
    if found is None:
        raise Conflict(GONE)
    await lock_customers([found.customer_id])
    await current().execute("select from invoice where id = $1 for update", draft_id)
    try:
        return await Invoice.find_draft(draft_id, by)
    except NotFound as error:
        raise Conflict(GONE) from error


async def _empty(draft_id: int) -> None:
    """Delete the lines and the VAT of a draft, and free its entries."""
    for part in (LineAllocation, InvoiceLine, InvoiceVat, SettledEntry):
        await part.delete().where(part.invoice_id == draft_id)


async def _document(entry_ids: list[Key], draft: Invoice) -> tuple[Book, Document] | None:
    """Return the invoice that the engine computes from these entries alone, and the book that contains them.

    Return None if there is nothing to charge. `draft` gives the contract and the end date of the billing run.
    """
    wanted = {int(id) for id in entry_ids}
    for of in await book.load_these([draft.customer_id], wanted):
        part = of.only(wanted)
        if not part.state.entries:
            continue
        for document in (await asyncio.to_thread(bill, part.state, draft.until)).documents:
            if document.contract == draft.contract_id and document.kind is DocumentKind.INVOICE:
                return part, document
    return None


async def _tell(draft: Invoice, by: AgentReader, at: datetime) -> None:
    await outbox.tell(
        kind="invoice.drafted",
        subject_id=draft.id,
        customer_id=draft.customer_id,
        contact_may_know=False,
        actor=by,
        at=at,
    )
