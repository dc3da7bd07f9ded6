"""Make the PDF and CSV files of a document when it becomes final, and store them with their SHA-256 (R65, D37).

An issued invoice and a statement are final; their stored files never change.
"""

import asyncio
import uuid
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple

from piccolo.columns import UUID, BigInt, BigSerial, Bytea, Text
from piccolo.table import Table

from portal.billing import detail
from portal.billing.contents import Contents, PrintedLine
from portal.billing.detail import DetailRow
from portal.billing.invoices import Invoice
from portal.billing.statements import Statement
from portal.database import current
from portal.database.rows import one
from portal.exports import write_csv
from portal.money import digits_of, round_half_up
from portal.render import documents as paper
from portal.render import formats

VARIOUS = "various rates"
"""What is printed instead of the unit price of a line whose entries have different rates (C11)."""

CJK = {"JP": "JP", "KR": "KR", "TW": "TC", "HK": "HK", "MO": "HK"}
"""The regional variant of Chinese characters to print, by the buyer's country; the same code points look different."""


class StoredDocument(Table, tablename="document"):
    """A file of an issued invoice or of a statement; exactly one of `invoice_id` and `statement_id` is set."""

    id = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    invoice_id = BigInt(null=True, default=None)
    statement_id = UUID(null=True, default=None)
    kind = Text(default=None)
    content = Bytea(default=None)
    sha256 = Bytea(default=None)


class Numbering(NamedTuple):
    """What an invoice gets when it is issued: its number, its date of issue and its due date."""

    number: str
    issue_date: date
    due_on: date


async def keep(
    kind: str,
    content: bytes,
    customer_id: int,
    *,
    invoice_id: int | None = None,
    statement_id: uuid.UUID | None = None,
) -> None:
    """Store a file (`kind` is `pdf` or `csv`) of the invoice or statement that becomes final in this transaction.

    Pass exactly one of `invoice_id` and `statement_id`. The SHA-256 of `content` is stored with it.
    """
    await StoredDocument.insert(
        StoredDocument(
            customer_id=customer_id, invoice_id=invoice_id, statement_id=statement_id, kind=kind, content=content,
            sha256=sha256(content).digest(),
        )
    )  # fmt: skip


async def hand_out(kind: str, document: Invoice | Statement) -> bytes:
    """Return a stored file (`kind` is `pdf` or `csv`) of a document, and record in the audit log who received it (R89).

    The caller must have checked that the reader may see the document. Raise `NotFound` if the document has no file of
    this kind: a statement has no PDF.
    """
    tx = current()
    if isinstance(document, Invoice):
        invoice_id, statement_id, subject = document.id, None, ("invoice", document.id)
    else:
        invoice_id, statement_id, subject = None, document.id, ("statement", document.contract_id)
    document_of = StoredDocument.invoice_id == invoice_id if invoice_id else StoredDocument.statement_id == statement_id
    stored = await one(StoredDocument.objects().where(StoredDocument.kind == kind, document_of))
    await tx.execute("select record_export($1, $2, $3)", *subject, kind)
    return bytes(stored.content)


async def csv(title: str, rows: list[DetailRow], currency: str) -> bytes:
    """Return the rows of a document's time detail as a CSV file with the given title.

    The file has no row of totals: the amounts sum to the net of the invoice, and such a row would be counted again
    (D55).
    """
    return await asyncio.to_thread(lambda: write_csv(detail.sheet(title, rows, digits_of(currency))))


async def pdf(
    invoice: Invoice, contents: Contents, parties: dict[str, Any], numbering: Numbering, logo: bytes | None
) -> bytes:
    """Return the invoice as a PDF, with the company's logo (a PNG) unless `logo` is None.

    `parties` is what `issuing._parties` returns: the printed data of seller, buyer, bank and contract. `numbering` holds
    the number and the dates of the invoice. Raise `Unavailable` if typesetting takes too long or too much memory.
    """

    def data() -> dict[str, Any]:
        with formats.reading(None, None, None):
            return _data(invoice, contents, parties, numbering)

    printed = await asyncio.to_thread(data)
    return await paper.pdf("invoice.typ", printed | {"logo": None if logo is None else list(logo)})


def _data(invoice: Invoice, contents: Contents, parties: dict[str, Any], numbering: Numbering) -> dict[str, Any]:
    """Return the data that the typst template of an invoice prints, as formatted text. The parameters are those of `pdf`."""
    currency, seller, buyer, contract = invoice.currency, parties["seller"], parties["buyer"], parties["contract"]
    bank = parties["bank"]
    gross = formats.money(invoice.gross, currency)
    facts = [
        ("Invoice number", numbering.number),
        ("Invoice date", formats.day_long(numbering.issue_date)),
        ("Supply period", " to ".join(dict.fromkeys(map(formats.day_long, (invoice.supply_from, invoice.supply_to))))),
        ("Due on", formats.day_long(numbering.due_on)),
        ("Contract", contract["name"]),
        ("Your order", contract["order_reference"] or ""),
    ]
    return {
        "title": f"Invoice {numbering.number}",
        "number": numbering.number,
        "cjk": CJK.get(buyer["country"], "SC"),
        "date": [numbering.issue_date.year, numbering.issue_date.month, numbering.issue_date.day],
        "seller": {
            "name": seller["legal_name"],
            "address": _address(seller),
            "vat_id": seller["vat_id"],
            "contact": [line for line in (seller["email"], seller["phone"]) if line],
        },
        "buyer": {"name": buyer["legal_name"], "address": _address(buyer), "vat_id": buyer["vat_id"]},
        "facts": [fact for fact in facts if fact[1]],
        "heads": ["What", "Quantity", f"Price, {currency}", "VAT", f"Net, {currency}"],
        "lines": [_line(line, currency) for line in contents.lines],
        "totals": [("Net", formats.amount(invoice.net, currency))]
        + [
            (
                f"VAT {formats.percent(group['rate'])} on {formats.amount(group['base'], currency)}",
                formats.amount(group["tax"], currency),
            )
            for group in contents.vat
        ],
        "gross": ["To pay", gross],
        "reasons": [f"Without VAT: {reason}" for reason in contents.exemptions],
        "terms": f"Pay {gross} by {formats.day_long(numbering.due_on)} to {bank['iban_spaced']} and quote {numbering.number}.",
        "detail": "Each piece of work behind these lines is listed in the time detail of this invoice in the portal.",
        "bank": [
            (name, value)
            for name, value in (("Bank", bank["name"]), ("IBAN", bank["iban_spaced"]), ("BIC", bank["bic"]))
            if value
        ],
    }


def _line(line: PrintedLine, currency: str) -> dict[str, str]:
    is_time = line.minutes is not None
    price = VARIOUS if line.unit_price is None else _price(line.unit_price, currency)
    if is_time and line.minutes == 0 and line.unit_price is None:
        price = formats.NOTHING
    return {
        "label": line.words,
        "quantity": formats.number(line.quantity, 12) + (f"{formats.NBSP}h" if is_time else ""),
        "price": price,
        "vat": formats.percent(line.vat_rate),
        "net": formats.amount(line.net, currency),
    }


def _price(price: Decimal, currency: str) -> str:
    """Return a price with the decimals of its currency, or with four decimals if the price has more."""
    is_exact = price == round_half_up(price, digits_of(currency))
    return formats.amount(price, currency) if is_exact else formats.number(price, 4)


def _address(party: dict[str, Any]) -> list[str]:
    lines = [party["street"], f"{party['postcode']} {party['city']}".strip(), formats.country(party["country"])]
    return [line for line in lines if line]
