"""Issue credit notes: number them, copy all printed data, make the files, and store the credited time.

Credited time can be billed again, or is written off.
"""

import json
import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from portal import outbox
from portal.billing.allocating.allocations import reallocate
from portal.billing.credits.choosing import Chosen, Credit, credit
from portal.billing.credits.creditable import creditable
from portal.billing.credits.notes import CreditedTime, CreditLine, CreditNote, CreditVat
from portal.billing.credits.questions import end_corrected
from portal.billing.documents import detail, files
from portal.billing.documents.contents import Contents, with_entries
from portal.billing.documents.invoices import Invoice
from portal.billing.documents.issuing import parties_of
from portal.billing.documents.printing import Face, of_contract, typeset
from portal.billing.locks import lock_customers
from portal.contracts import logo
from portal.contracts.company import CREDIT_NOTE, NumberSeries
from portal.database import current
from portal.database.rows import insert_all, insert_one
from portal.errors import Conflict, Forbidden, Invalid
from portal.money import digits_of
from portal.people.readers import AgentReader
from portal.periods import today
from portal.render import formats
from portal.visible import visible

LONGEST_REASON = 500
"""The maximum number of characters of the reason of a credit note."""


async def issue_credit(
    invoice: Invoice,
    chosen: Chosen,
    *,
    reason: str,
    freed: bool,
    by: AgentReader,
    at: datetime,
    form_key: uuid.UUID | None = None,
    seen: Decimal | None = None,
) -> CreditNote:
    """Issue a credit note for all or a part of an issued invoice, and return the credit note.

    With `freed`, the next billing run can bill the credited minutes again, and also the fees and vouchers that are
    credited as a whole. Without `freed`, all of these are written off. The customer is locked until the transaction
    ends, and the outbox gets a row. A second call with the same `form_key` issues nothing, and returns the existing
    credit note. `seen` is the gross sum that the page showed.

    Raise `Invalid` if the reason is missing or too long, or if `choosing.credit` refuses the choice. Raise `Conflict`
    if the gross sum differs from `seen`, or if the same form was sent for another invoice. Raise `Forbidden` if `by` is
    not a manager.
    """
    if not by.is_manager:
        raise Forbidden("Only managers may issue credit notes.")
    await lock_customers([invoice.customer_id])
    if made := await CreditNote.sent(form_key, invoice):
        return made
    reason = checked_reason(reason)
    what = credit(await creditable(invoice), chosen)
    if seen is not None and what.gross != seen:
        raise Conflict("Part of this was credited in the meantime. Look at the sum again.")
    parties, _, zone = await parties_of(invoice.contract_id, by)
    parties |= {"corrects": {"number": invoice.number, "issue_date": invoice.issue_date.isoformat()}, "reason": reason}
    note_id: int = await current().fetchval("select nextval('credit_note_id_seq')")
    of = {"customer_id": invoice.customer_id, "credit_note_id": note_id}
    await _store_parts(of | {"invoice_id": invoice.id}, what, freed=freed)
    numbered = await _number(of, what, parties, zone, at)
    number = await insert_one(
        CreditNote,
        {
            "id": note_id, "customer_id": invoice.customer_id, "invoice_id": invoice.id, "currency": what.currency, "net": what.net,
            "tax": what.tax, "gross": what.gross, "reason": reason, "issued_by_id": by.id, "parties": json.dumps(parties), "form_key": form_key,
            **numbered,
        },
        returning="number",
    )  # fmt: skip
    entries = {row.entry_id for row, _, _ in what.time if row.entry_id is not None}
    await end_corrected(entries, by=by, at=at, credit_note_id=note_id)
    await reallocate([invoice.customer_id], sorted(entries))
    await outbox.tell(
        kind="invoice.credited",
        subject_id=invoice.id,
        customer_id=invoice.customer_id,
        contact_may_know=True,
        actor=by,
        at=at,
        record_id=note_id,
    )
    return await CreditNote.find(number, by)


def checked_reason(text: str) -> str:
    """Return the reason of a credit note as it is printed. Raise `Invalid` if the reason is missing or too long."""
    reason = " ".join(visible(text).split())
    if not reason:
        raise Invalid({"reason": "Say why; the customer reads it on the credit note."})
    if len(reason) > LONGEST_REASON:
        raise Invalid({"reason": f"Use at most {LONGEST_REASON} characters."})
    return reason


async def _store_parts(of: dict[str, Any], what: Credit, *, freed: bool) -> None:
    """Store the lines, VAT, time detail and credited time of a credit note.

    `of` has the ids of the customer, the credit note and the invoice as columns. If `freed`, the time can be billed
    again, and the fees and vouchers of the lines `what.due_again` become due again; otherwise all of these are written
    off. A database trigger makes the freed time billable again.
    """
    await insert_all(
        CreditLine,
        [of | line | _effect(line["line_position"], what, freed=freed) for line in what.lines],
    )
    await insert_all(CreditVat, [of | {"currency": what.currency} | group for group in what.vat])
    await detail.copy(what.detail, of["customer_id"], credit_note_id=of["credit_note_id"])
    await insert_all(
        CreditedTime,
        [
            of | {
                "detail_position": row.position, "entry_id": row.entry_id, "minutes": minutes, "currency": what.currency, "amount": amount,
                "freed": freed,
            }
            for row, minutes, amount in what.time
        ],
    )  # fmt: skip


def _effect(position: Any, what: Credit, *, freed: bool) -> dict[str, Any]:
    """Return the columns of a credit note's line that say what happens to the fee or voucher of the invoice's line.

    `position` is the position of the invoice's line. The fee or voucher is due again (`freed`), or the fee is credited
    for the days from `unused_from` on, or the voucher loses `voucher_minutes`. If none of these applies, the columns
    are False and None.
    """
    freed = freed and position in what.due_again
    return {
        "freed": freed,
        "unused_from": what.unused_from.get(position),
        "voucher_minutes": None if freed else what.voucher_minutes.get(position),
    }


async def _number(of: dict[str, Any], what: Credit, parties: dict[str, Any], zone: str, at: datetime) -> dict[str, Any]:
    """Take a number, store the PDF and the CSV, and return the columns of the credit note with its number and dates.

    The PDF shows the number. To keep the counter locked only briefly, the PDF is first made with the expected number,
    and made again if the number or the day turns out different. In a series, no credit note has an earlier `issued_at`
    than the credit note before it.
    """
    contents = Contents(with_entries(what.lines, what.detail, digits_of(what.currency)), what.vat, what.detail)
    picture, series = await logo.find(), await NumberSeries.ready_for_credits()
    likely = (series.printed(series.next_number), today(zone, at))
    pdf = await _pdf(*likely, what, contents, parties, picture)
    taken = await NumberSeries.take(CREDIT_NOTE)
    last = await current().fetchval(
        "select issued_at from credit_note where series_id = $1 order by series_number desc limit 1", taken.series_id
    )
    at = max(at, last or at)
    certain = (taken.printed, today(zone, at))
    if certain != likely:
        pdf = await _pdf(*certain, what, contents, parties, picture)
    await files.keep("pdf", pdf, **of)
    await files.keep("csv", await files.csv(f"Credit note {taken.printed}", what.detail, what.currency), **of)
    return {
        "series_id": taken.series_id,
        "series_number": taken.series_number,
        "number": taken.printed,
        "issued_at": at,
        "issue_date": certain[1],
    }


def _sentence(text: str) -> str:
    """Return `text` with a full stop added, unless it ends with a mark that ends a sentence."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


async def _pdf(
    number: str, issue_date: date, what: Credit, contents: Contents, parties: dict[str, Any], picture: bytes | None
) -> bytes:
    def face() -> Face:
        corrects = parties["corrects"]
        on = formats.day_long(date.fromisoformat(corrects["issue_date"]))
        return Face(
            title=f"Credit note {number}",
            number=number,
            issue_date=issue_date,
            facts=[
                ("Credit note number", number),
                ("Date", formats.day_long(issue_date)),
                ("Corrects invoice", f"{corrects['number']} of {on}"),
                *of_contract(parties),
            ],
            sum_words="Credited",
            terms=f"{_sentence(parties['reason'])} This amount is set off against invoice {corrects['number']}; "
            "what was paid beyond it is paid back.",
            place="in the time detail of this credit note in the portal",
        )

    return await typeset(face, what, contents, parties, picture)
