"""Format the data of an invoice or a credit note as the texts of its PDF, and typeset the PDF."""

import asyncio
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

from portal.billing.documents.contents import Contents, PrintedLine
from portal.billing.documents.detail import DetailRow
from portal.billing.documents.invoices import Invoice
from portal.billing.payments.codes import payment_code
from portal.money import digits_of, round_half_up
from portal.render import documents as paper
from portal.render import formats

CJK = {"JP": "JP", "KR": "KR", "TW": "TC", "HK": "HK", "MO": "HK"}
"""The regional variant of Chinese, Japanese and Korean glyphs to print, by the buyer's country.

One code point can have a different glyph in each region.
"""


PRINTED = 3_000
"""The maximum number of rows of a time detail that a PDF prints, some hundred pages.

A longer time detail is not printed, because typesetting could exceed its limits (R64), and the document could then not
be issued.
"""


class Numbering(NamedTuple):
    """The data that an invoice gets when it is issued: its number, its date of issue and its due date."""

    number: str
    issue_date: date
    due_on: date


class Sums(Protocol):
    """The sums of a document, and their currency."""

    @property
    def currency(self) -> Any: ...
    @property
    def net(self) -> Any: ...
    @property
    def gross(self) -> Any: ...
    @property
    def payable(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Face:
    """What distinguishes one kind of printed document from another.

    `facts` are pairs of name and text, `sum_words` is the label of the sum at the end, `terms` says how that sum is
    paid or set off. `place` says where the time detail is if it is not printed. `code` holds the SEPA payment code and
    its words, or is None. `note` is the note to the customer.
    """

    title: str
    number: str
    issue_date: date
    facts: list[tuple[str, str]]
    sum_words: str
    terms: str
    place: str
    code: dict[str, Any] | None = None
    note: str = ""


async def invoice_pdf(
    invoice: Invoice, contents: Contents, parties: dict[str, Any], numbering: Numbering, logo: bytes | None
) -> bytes:
    """Return an invoice as a PDF, with the company's logo (a PNG) unless `logo` is None.

    `parties` is what `issuing.parties_of` returns: the printed data of seller, buyer, bank and contract. `numbering`
    holds the number and the dates of the invoice. Raise `Unavailable` if typesetting takes too long or too much memory.
    """

    def face() -> Face:
        number, currency = numbering.number, invoice.currency
        payable, due_on = formats.money(invoice.payable, currency), formats.day_long(numbering.due_on)
        period = dict.fromkeys(map(formats.day_long, (invoice.supply_from, invoice.supply_to)))
        return Face(
            title=f"Invoice {number}",
            number=number,
            issue_date=numbering.issue_date,
            facts=[
                ("Invoice number", number),
                ("Invoice date", formats.day_long(numbering.issue_date)),
                ("Supply period", " to ".join(period)),
                ("Due on", due_on),
                *of_contract(parties),
            ],
            sum_words="To pay",
            terms=f"Pay {payable} by {due_on} to {parties['bank']['iban_spaced']} and quote {number}.",
            place="in the time detail of this invoice in the portal",
            code=_code(parties, number, invoice.payable, currency),
            note=invoice.note or "",
        )

    return await typeset(face, invoice, contents, parties, logo)


async def typeset(
    face: Callable[[], Face], sums: Sums, contents: Contents, parties: dict[str, Any], logo: bytes | None
) -> bytes:
    """Return a document as a PDF.

    `face` returns the `Face` of the document. It is called in a worker thread, with the formats of printed documents.
    `parties` has at least the keys that `issuing.parties_of` sets. `logo` is the company's logo as a PNG, or None. If
    the contract says so, the time detail follows on further pages. Raise `Unavailable` as `invoice_pdf` does.
    """

    def texts() -> dict[str, Any]:
        with formats.reading(None, None, None):
            return _texts(face(), sums, contents, parties)

    printed = await asyncio.to_thread(texts)
    return await paper.pdf("invoice.typ", printed | {"logo": None if logo is None else list(logo)})


def _texts(face: Face, sums: Sums, contents: Contents, parties: dict[str, Any]) -> dict[str, Any]:
    """Return the data that the typst template prints, as formatted text."""
    currency = sums.currency
    prints_detail = parties["contract"].get("prints_detail", False) and len(contents.detail) <= PRINTED
    running = _running([line.net for line in contents.lines], currency)
    return {
        "title": face.title,
        "number": face.number,
        **of_paper(parties, face.issue_date),
        "to": "Billed to",
        "facts": [fact for fact in face.facts if fact[1]],
        "heads": ["What", "Quantity", f"Price, {currency}", "VAT", f"Net, {currency}"],
        "carried_over": "Carried over",
        "lines": [_line(line, currency) | {"sum": sum} for line, sum in zip(contents.lines, running, strict=True)],
        "totals": [("Net", formats.amount(sums.net, currency))]
        + [
            (
                f"VAT {formats.percent(group['rate'])} on {formats.amount(group['base'], currency)}",
                formats.amount(group["tax"], currency),
            )
            for group in contents.vat
        ]
        + _rounding(sums, currency),
        "gross": [face.sum_words, formats.money(sums.payable, currency)],
        "reasons": [f"Without VAT: {reason}" for reason in contents.exemptions],
        "note": face.note.splitlines(),
        "terms": face.terms,
        "detail": _where(face, contents, prints_detail=prints_detail),
        "time": _time(contents.detail, currency) if prints_detail else None,
        "code": face.code,
    }


def of_paper(parties: dict[str, Any], on: date) -> dict[str, Any]:
    """Return the values that the typst template of every kind of document needs.

    They are the seller, the buyer, the bank account, the date, and which regional variant of Chinese, Japanese and
    Korean glyphs to print (`cjk`). `on` is the date of the document. `parties` has at least the keys `seller`, `buyer`
    and `bank`, as `issuing.parties_of` sets them.
    """
    seller, buyer, bank = parties["seller"], parties["buyer"], parties["bank"]
    return {
        "cjk": CJK.get(buyer["country"], "SC"),
        "date": [on.year, on.month, on.day],
        "seller": {
            "name": seller["legal_name"],
            "address": _address(seller),
            "vat_id": seller["vat_id"],
            "contact": [line for line in (seller["email"], seller["phone"]) if line],
        },
        "buyer": {"name": buyer["legal_name"], "address": _address(buyer), "vat_id": buyer["vat_id"]},
        "bank": [
            (name, value)
            for name, value in (("Bank", bank["name"]), ("IBAN", bank["iban_spaced"]), ("BIC", bank["bic"]))
            if value
        ],
    }


def _where(face: Face, contents: Contents, *, prints_detail: bool) -> str:
    """Return the sentence that says where the time entries are listed, or "" if the document has no time entries."""
    if all(row.entry_id is None for row in contents.detail):
        return ""
    return "Each piece of work behind these lines is listed " + (
        "on the pages that follow." if prints_detail else f"{face.place}."
    )


def _rounding(sums: Sums, currency: str) -> list[tuple[str, str]]:
    """Return the lines that show how the sum to pay was rounded to the smallest coin: the gross and the difference.

    They are pairs of name and amount. Return [] if rounding changes nothing.
    """
    if sums.payable == sums.gross:
        return []
    return [
        ("Total", formats.amount(sums.gross, currency)),
        ("Rounding", formats.amount(sums.payable - sums.gross, currency)),
    ]


def of_contract(parties: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the name of the contract and the customer's order number, as `facts` of a `Face`."""
    contract = parties["contract"]
    return [("Contract", contract["name"]), ("Your order", contract["order_reference"] or "")]


def _line(line: PrintedLine, currency: str) -> dict[str, str]:
    is_time = line.minutes is not None
    price = line.instead_of_price if line.unit_price is None else _price(line.unit_price, currency)
    return {
        "label": line.words,
        "note": line.rounding,
        "quantity": f"{formats.clock(line.minutes)}{formats.NBSP}h" if is_time else formats.number(line.quantity),
        "price": price,
        "vat": formats.percent(line.vat_rate),
        "net": formats.amount(line.net, currency),
    }


def _running(amounts: Iterable[Decimal], currency: str) -> list[str]:
    """Return the formatted running totals of the amounts.

    Each page begins with the running total of the previous page.
    """
    return [formats.amount(sum, currency) for sum in accumulate(amounts)]


def _time(rows: Sequence[DetailRow], currency: str) -> dict[str, Any]:
    """Return the texts of the printed time detail: its title, its rows for time, and their total."""
    time = [row for row in rows if row.entry_id is not None]
    sums = _running([row.amount for row in time], currency)
    return {
        "title": "Time detail",
        "heads": [*TIME_HEADS, f"Amount, {currency}"],
        "rows": [
            of_work(row) | {"figures": [formats.clock(row.minutes), formats.amount(row.amount, currency)], "sum": sum}
            for row, sum in zip(time, sums, strict=True)
        ],
        "total": {
            "name": "Sum",
            "figures": [
                formats.clock(sum(row.minutes or 0 for row in time)),
                sums[-1] if sums else formats.amount(Decimal(0), currency),
            ],
        },
    }


TIME_HEADS = ["Date", "Case", "Work", "Covered by", "h:min"]
"""The column headings of a printed table of time without amounts."""


def of_work(row: DetailRow) -> dict[str, str]:
    """Return the texts that describe the work of a row: day, case, comment, service, and what pays for the work."""
    service = [row.service_name, row.performed_by]
    if row.hourly_rate is not None:
        service.append(f"{_price(row.hourly_rate, row.currency)} per hour")
    return {
        "day": formats.day_long(row.work_date),
        "case": f"#{row.case_number}" if row.case_number else "",
        "work": row.external_comment or "(no comment)",
        "service": ", ".join(service),
        "covered": ", ".join(filter(None, (row.covered_by, row.factors))),
    }


def _code(parties: dict[str, Any], number: str, payable: Decimal, currency: str) -> dict[str, Any] | None:
    """Return the SEPA payment code of an invoice as an SVG image with its words, or None if the invoice has none."""
    code = payment_code(parties, number, payable, currency)
    if code is None:
        return None
    picture = io.BytesIO()
    code.save(picture, kind="svg")
    return {
        "picture": list(picture.getvalue()),
        "words": f"Payment code: {formats.money(payable, currency)} to {parties['seller']['legal_name']}, {number}",
        "hint": "Scan this code with your banking app to fill in the transfer.",
    }


def _price(price: Decimal, currency: str) -> str:
    """Return a price with the decimals of its currency, or with four decimals if the price has more."""
    is_exact = price == round_half_up(price, digits_of(currency))
    return formats.amount(price, currency) if is_exact else formats.number(price, 4)


def _address(party: dict[str, Any]) -> list[str]:
    lines = [party["street"], f"{party['postcode']} {party['city']}".strip(), formats.country(party["country"])]
    return [line for line in lines if line]
