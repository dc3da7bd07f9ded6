"""Run the steps of a document in their order, and return the engine's results as JSON values."""

from datetime import date
from decimal import Decimal

from portal.billing.engine import (
    Allocation,
    Billing,
    BillingState,
    Document,
    DocumentKind,
    Key,
    Line,
    RefusalReason,
    VatGroup,
    allocate,
    approve,
    bill,
    release,
    withdraw,
)
from portal.billing.simulate.document import Input, Verb
from portal.billing.simulate.fields import Written

Json = dict[str, object]


def run(document: Input) -> Json:
    """Run the steps of an input document, and return the output document.

    Its allocations are those after the last step, including the frozen allocations of settled entries.
    """
    state = document.state
    billings: list[tuple[date, Billing]] = []
    refused: list[Json] = []
    for number, step in enumerate(document.steps):
        reasons: tuple[tuple[Key, RefusalReason], ...] = ()
        match step.verb:
            case Verb.APPROVE:
                state, reasons = approve(state, step.entries, document.rates)
            case Verb.WITHDRAW:
                state, reasons = withdraw(state, step.entries)
            case Verb.RELEASE:
                state = release(state, step.entries)
            case Verb.BILL:
                billings.append((step.until, bill(state, step.until)))
                state = billings[-1][1].state
        refused += ({"step": number, "entry": entry, "reason": reason} for entry, reason in reasons)
    documents = [made for _, billing in billings for made in billing.documents]
    return {
        "invoices": [_invoice(made) for made in documents if made.kind is DocumentKind.INVOICE],
        "statements": [_head(made) for made in documents if made.kind is DocumentKind.STATEMENT],
        "allocations": _allocations(state),
        "skipped": [
            {"until": str(until), "entry": skipped.entry, "reason": skipped.reason}
            for until, billing in billings
            for skipped in billing.skipped
        ],
        "refused": refused,
    }


def _head(made: Document) -> Json:
    return {"contract": made.contract, "until": str(made.until), "detail": list(made.detail)}


def _invoice(made: Document) -> Json:
    amounts = {"net": _number(made.net), "tax": _number(made.tax), "gross": _number(made.gross)}
    return (
        _head(made)
        | {"lines": [_line(line) for line in made.lines], "vat": [_vat(group) for group in made.vat]}
        | amounts
    )


def _line(line: Line) -> Json:
    return {
        "kind": line.kind,
        "service": line.service,
        "label": line.label,
        "minutes": line.minutes,
        "unit_price": _number(line.unit_price),
        "net": _number(line.net),
        "entries": list(line.entries),
    }


def _vat(group: VatGroup) -> Json:
    rate = _number(group.vat.rate)
    return {"category": group.vat.category, "rate": rate, "base": _number(group.base), "tax": _number(group.tax)}


def _allocations(state: BillingState) -> Json:
    pieces = {**state.settled, **allocate(state)}
    return {str(entry): [_allocation(piece) for piece in pieces[entry]] for entry in pieces}


def _allocation(piece: Allocation) -> Json:
    return {
        "kind": piece.kind,
        "minutes": piece.minutes,
        "source": None if piece.source is None else str(piece.source),
        "hourly_rate": _number(piece.price.hourly_rate) if piece.price else None,
        "rate_source": piece.price.source if piece.price else None,
        "amount": _number(piece.amount),
    }


def _number(value: Decimal | None) -> str | None:
    """Return a rate as it is spelt in the input, an amount with its decimals, and None for None."""
    if value is None:
        return None
    return value.text if isinstance(value, Written) else f"{value:f}"
