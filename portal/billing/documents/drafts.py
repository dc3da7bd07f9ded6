"""Store draft invoices as the engine computes them, remove single entries from a draft, and delete drafts.

A time entry is settled if a draft, an issued invoice or a statement contains it.
"""

import asyncio
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from portal import outbox
from portal.billing.allocating import book, rolling
from portal.billing.allocating.allocations import PlaceKey, frozen, reallocate
from portal.billing.allocating.billed import BilledFee, BilledVoucher
from portal.billing.allocating.book import Book, Row
from portal.billing.allocating.terms import vat_of
from portal.billing.bounds import fits
from portal.billing.documents.invoices import Invoice, InvoiceLine, InvoiceVat, LineAllocation, SettledEntry
from portal.billing.engine import Document, DocumentKind, Entry, Key, Line, LineKind, VatRate, Work, remake
from portal.billing.locks import lock_customers
from portal.contracts.price_list.products import Product
from portal.database import current
from portal.database.rows import insert_all
from portal.errors import Conflict, Forbidden, NotFound
from portal.people.readers import AgentReader
from portal.periods import Period

GONE = "It was issued or deleted in the meantime."


async def store(
    documents: Sequence[tuple[Book, Document]], run_id: int, known: Mapping[PlaceKey, int]
) -> dict[Key, int]:
    """Store as drafts the invoices that the engine computed, settle their entries, and return the ids of the drafts.

    The result maps the id of each contract to the id of its draft; no two of the documents are for the same contract.
    The caller must have locked the customers and stored the allocations. `known` has ids of allocations, as returned by
    `allocations.write`; missing ids are looked up.
    """
    if not documents:
        return {}
    rows = []
    for of, document in documents:
        first, last = supply_of(of, document)
        rows.append({
            "customer_id": of.customer_id, "contract_id": document.contract, "run_id": run_id, "state": "draft", "until": document.until,
            "currency": of.currency, "supply_from": first, "supply_to": last, "net": document.net, "tax": document.tax, "gross": document.gross,
        })  # fmt: skip
    stored = await insert_all(Invoice, rows, returning="id, contract_id")
    ids: dict[Key, int] = {row["contract_id"]: row["id"] for row in stored}
    await settle([(of.customer_id, document.detail, ids[document.contract]) for of, document in documents])
    await _fill([(ids[document.contract], of, document) for of, document in documents], known)
    return ids


async def _fill(drafts: Sequence[tuple[int, Book, Document]], known: Mapping[PlaceKey, int]) -> None:
    """Store the lines and the VAT of drafts whose entries are settled already. `known` has ids of allocations."""
    products = await _products({line.product for *_, document in drafts for line in document.lines} - {None})
    lines, vat = list[dict[str, object]](), list[dict[str, object]]()
    for id, of, document in drafts:
        places = of.state.places()
        draft = {"customer_id": of.customer_id, "invoice_id": id, "currency": of.currency}
        lines += [
            draft | {
                "position": position, "kind": line.kind.value, "service_id": line.service,
                "service_name": places[line.service][1].name, "label": _label(line), "minutes": line.minutes,
                "unit_price": line.unit_price, "net": line.net, "vat_category": line.vat.category.value,
                "vat_rate": line.vat.rate, "product_id": line.product,
                "exemption_reason": products[line.product].exemption_reason if line.product else of.exemptions.get(int(line.service)),
                "period_start": line.period_start, "voucher_id": line.voucher, **_active(line, document.until),
            }
            for position, line in enumerate(document.lines, 1)
        ]  # fmt: skip
        vat += [
            draft | {"category": group.vat.category.value, "rate": group.vat.rate, "base": group.base, "tax": group.tax}
            for group in document.vat
        ]
    added = await insert_all(InvoiceLine, lines, returning="id, invoice_id, position")
    line_ids = {(row["invoice_id"], row["position"]): row["id"] for row in added}
    await _link(drafts, line_ids, known)
    await insert_all(InvoiceVat, vat)


async def _link(
    drafts: Sequence[tuple[int, Book, Document]],
    line_ids: Mapping[tuple[int, int], int],
    known: Mapping[PlaceKey, int],
) -> None:
    """Store which allocations each line of the drafts contains.

    `line_ids` maps a draft and a position to the id of the line. `known` has ids of allocations; missing ids are looked
    up.
    """
    pieces = [piece for *_, document in drafts for line in document.lines for piece in line.allocations]
    if unknown := {piece.entry for piece in pieces if (piece.entry, piece.place) not in known}:
        known = {**known, **await _allocations([id for id, *_ in drafts], unknown)}
    rows = list[dict[str, object]]()
    for id, of, document in drafts:
        for position, line in enumerate(document.lines, 1):
            to: dict[str, object] = {"customer_id": of.customer_id, "invoice_id": id, "line_id": line_ids[id, position]}
            rows += [to | {"allocation_id": known[piece.entry, piece.place]} for piece in line.allocations]
    await insert_all(LineAllocation, rows)


async def _allocations(draft_ids: list[int], entry_ids: Collection[Key]) -> dict[PlaceKey, int]:
    """Return the ids of the allocations of `entry_ids`, by entry id and position of the allocation.

    Only allocations of the part of an entry that one of these drafts has settled are returned.
    """
    # Join in Python, because PostgreSQL would plan a join for the few rows that the tables had before a long run.
    settled = await current().fetch("select entry_id, part from settled_entry where invoice_id = any($1)", draft_ids)
    parts = {(row["entry_id"], row["part"]) for row in settled}
    stored = await current().fetch(
        "select id, entry_id, part, position from allocation where entry_id = any($1)", list(entry_ids)
    )
    return {(row["entry_id"], row["position"]): row["id"] for row in stored if (row["entry_id"], row["part"]) in parts}


async def _products(ids: Collection[Key | None]) -> dict[Key | None, Product]:
    """Return the products of the price list with these ids, by id."""
    return {one.id: one for one in await Product.objects().where(Product.id.is_in(list(ids)))} if ids else {}


def _active(line: Line, until: date) -> dict[str, object]:
    """Return the columns for the first and the last day that a fee pays for; both are None on any other line."""
    if line.active is None:
        return {"active_from": None, "active_to": None}
    first, last = line.active.start, (line.active.end or until) - timedelta(days=1)
    return {"active_from": first, "active_to": last}


def _label(line: Line) -> str:
    """Return the label that is printed for a line.

    If the label ends with the days of a fee, these days are written as in "1 Nov to 30 Nov 2026".
    """
    if line.active is None or not line.label.endswith(f" {line.active}"):
        return line.label
    first, last = line.active.start, (line.active.end or date.max) - timedelta(days=1)
    since = f"{first:%-d %b}" if first.year == last.year else f"{first:%-d %b %Y}"
    return f"{line.label.removesuffix(f' {line.active}')}, {since} to {last:%-d %b %Y}"


_SETTLE = {
    column: f"insert into settled_entry (entry_id, part, customer_id, {column})"  # noqa: S608
    " select e.id, coalesce(o.part, 0), e.customer_id, e.document_id"
    f" from unnest($1::bigint[], $2::bigint[], $3::{kind}[]) as e (id, customer_id, document_id)"
    " left join reopened_entry o on o.entry_id = e.id"
    for column, kind in (("invoice_id", "bigint"), ("statement_id", "uuid"))
}


async def settle(
    documents: Sequence[tuple[int, Sequence[Key], int | uuid.UUID]],
    column: Literal["invoice_id", "statement_id"] = "invoice_id",
) -> None:
    """Record that draft invoices, or statements, settle the open part of each of their entries.

    `documents` has the customer, the entries and the id of each document; `column` says whether the documents are
    invoices or statements. The database refuses an entry that is not approved or that is settled already.
    """
    rows = [(entry, customer, id) for customer, entries, id in documents for entry in entries]
    await current().execute(_SETTLE[column], *map(list, zip(*rows, strict=True)) if rows else ([], [], []))


def supply_of(of: Book, document: Document) -> tuple[date, date]:
    """Return the first and the last day of a document's period of supply (D43).

    The period covers the days of the work and the days that fees pay for. If a document has neither work nor fees, such
    as a document for a voucher alone, both days are `document.until`.
    """
    entries: dict[Key, Entry] = {entry.id: entry for entry in of.state.entries}
    days = [entries[id].date for id in document.detail]
    for line in document.lines:
        if line.active is not None:
            days += [line.active.start, date.fromordinal((line.active.end or document.until).toordinal() - 1)]
    return (min(days), max(days)) if days else (document.until, document.until)


async def take_off(draft_id: int, entry_id: int, *, by: AgentReader, at: datetime) -> Invoice | None:
    """Remove one time entry from a draft, compute the lines of the draft again, and return the draft.

    The next billing run bills the entry. The allocations of the draft's other entries stay as they are. If nothing to
    charge is left on the draft, delete the draft and return None; the next billing run then bills the rest. The change
    is written to the outbox. Raise `Conflict` if the draft was issued or deleted, does not contain the entry, or cannot
    exist without the entry (`why_not`). Raise `Forbidden` if `by` is not a manager.
    """
    draft = await locked(draft_id, by)
    if not await _remove_entry(draft_id, entry_id):
        raise Conflict("This time is no longer on the draft.")
    remade = await remake_of(draft)
    await tell(draft, by, at)
    if remade is None:
        await _delete(draft)
        return None
    if why := why_not(remade[1]):
        raise Conflict(why)
    await refill(draft, *remade)
    return await Invoice.find_draft(draft_id, by)


def why_not(document: Document) -> str:
    """Return an error message if `document` cannot become a draft, else "".

    The document is refused if it is too large, or if a discount exceeds what is charged at the same VAT rate.
    """
    if not fits(document):
        return "What is left on this draft is more than one document can hold: delete the draft instead."
    if any(group.base < 0 for group in document.vat):
        return "The discount would be more than what is charged with the same VAT."
    return ""


async def refill(draft: Invoice, of: Book, document: Document) -> None:
    """Replace the lines and the sums of a locked draft with the lines and the sums of `document`.

    Recompute the allocations of the customer's open time.
    """
    first, last = supply_of(of, document)
    await _without_lines(draft.id)
    await Invoice.update(
        net=document.net, tax=document.tax, gross=document.gross, supply_from=first, supply_to=last
    ).where(Invoice.id == draft.id)
    await _fill([(draft.id, of, document)], {})
    await reallocate([draft.customer_id])


async def delete(draft_id: int, *, by: AgentReader, at: datetime) -> None:
    """Delete a draft, so that the next billing run bills its entries, fees and vouchers, and write this to the outbox.

    A draft has no number, so no number is lost. Raise `Conflict` if the draft was issued or deleted before, `Forbidden`
    if `by` is not a manager.
    """
    draft = await locked(draft_id, by)
    await _delete(draft)
    await tell(draft, by, at)


async def locked(draft_id: int, by: AgentReader) -> Invoice:
    """Lock the customer of a draft, then the draft, and return the draft.

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


async def _delete(draft: Invoice) -> None:
    """Delete a draft, so that its entries, fees and vouchers can be billed again.

    Recompute the allocations of the customer's open time. Reopen the periods that the billing run of the draft closed
    (`rolling.reopen`).
    """
    await _without_lines(draft.id)
    for part in (SettledEntry, BilledFee, BilledVoucher):
        await part.delete().where(part.invoice_id == draft.id)
    await Invoice.delete().where(Invoice.id == draft.id)
    await rolling.reopen(draft.contract_id, draft.run_id)
    await reallocate([draft.customer_id])


async def _without_lines(draft_id: int) -> None:
    for part in (LineAllocation, InvoiceLine, InvoiceVat):
        await part.delete().where(part.invoice_id == draft_id)


async def _remove_entry(draft_id: int, entry_id: int) -> bool:
    """Remove one entry from a draft, so that it can be billed again, and return whether the draft contained it."""
    await current().execute(
        "delete from line_allocation b using allocation a where b.invoice_id = $1 and a.id = b.allocation_id and a.entry_id = $2",
        draft_id, entry_id,
    )  # fmt: skip
    freed = await current().fetch(
        "delete from settled_entry where invoice_id = $1 and entry_id = $2 returning entry_id", draft_id, entry_id
    )
    return bool(freed)


async def remake_of(
    draft: Invoice, added: Sequence[Row] = (), without: int | None = None
) -> tuple[Book, Document] | None:
    """Return the book of a draft, and the invoice computed anew from the draft's entries and its other lines.

    The other lines are the stored lines that are not for time, and the lines `added` (as columns). The line at the
    position `without` is left out. The allocations of the entries stay as they are. Return None if there is nothing to
    charge.
    """
    settled = await current().fetch("select entry_id from settled_entry where invoice_id = $1", draft.id)
    of = await book.load_settled(draft.customer_id, draft.contract_id, [row["entry_id"] for row in settled])
    pieces = await frozen(of, draft.id)
    lines = (
        await InvoiceLine.select()
        .where(InvoiceLine.invoice_id == draft.id, InvoiceLine.kind != LineKind.TIME.value)
        .order_by(InvoiceLine.position)
    )
    rows = [row for row in (*lines, *added) if without is None or row["position"] != without]
    products = await _products({row["product_id"] for row in rows} - {None})
    rate = await current().fetchval("select vat_rate from contract where id = $1", draft.contract_id)
    kept = [_engine_line(row, _vat(row, of, products, rate)) for row in rows]
    [contract] = [contract for contract in of.state.contracts if contract.id == draft.contract_id]
    work = [Work(entry, pieces.get(entry.id, ())) for entry in of.state.entries]
    document = await asyncio.to_thread(lambda: remake(of.state, contract, work, kept, draft.until))
    return (of, document) if document and document.kind is DocumentKind.INVOICE else None


def _vat(row: Row, of: Book, products: Mapping[Key | None, Product], rate: Decimal) -> VatRate:
    """Return the VAT that applies now to a line: the VAT of its product or, without a product, of its service.

    `rate` is the VAT rate of the contract.
    """
    if product := products.get(row["product_id"]):
        return vat_of(taxable=product.taxable, rate=rate)
    return of.state.places()[row["service_id"]][1].vat


def _engine_line(row: Row, vat: VatRate) -> Line:
    """Convert a stored line that is not for time into a `Line` of the engine, and return the `Line`."""
    first, last = row["active_from"], row["active_to"]
    return Line(
        kind=LineKind(row["kind"]), service=row["service_id"], label=row["label"], minutes=None, unit_price=row["unit_price"],
        net=row["net"], vat=vat, product=row["product_id"], period_start=row["period_start"],
        active=Period(first, last + timedelta(days=1)) if first else None, voucher=row["voucher_id"],
    )  # fmt: skip


async def tell(draft: Invoice, by: AgentReader, at: datetime) -> None:
    """Write to the outbox that a draft was made, changed or deleted, so that agents' open pages refresh themselves."""
    await outbox.tell(
        kind="invoice.drafted",
        subject_id=draft.id,
        customer_id=draft.customer_id,
        contact_may_know=False,
        actor=by,
        at=at,
    )
