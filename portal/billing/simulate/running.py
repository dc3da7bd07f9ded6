"""Run the steps of a document in their order, and return the engine's results as JSON values."""

from collections.abc import Sequence
from datetime import date

from portal.billing.engine import (
    Allocation,
    Billing,
    BillingState,
    CannotCredit,
    Credit,
    Document,
    DocumentKind,
    Key,
    RefusalReason,
    allocate,
    approve,
    bill,
    end_contract,
    extend_contract,
    release,
    withdraw,
)
from portal.billing.simulate import output
from portal.billing.simulate.document import Input
from portal.billing.simulate.errors import BadDocument, Location
from portal.billing.simulate.output import Json
from portal.billing.simulate.steps import CreditOf, Step, Verb


def run(document: Input) -> Json:
    """Run the steps of an input document, and return the output document.

    The output document has the allocations after the last step, including the frozen allocations of settled entries.
    Raise `BadDocument` if a step credits something that no earlier step has billed, or that can no longer be credited.
    """
    state = document.state
    billings: list[tuple[date, Billing]] = []
    documents: list[Document] = []
    corrections: list[Json] = []
    refused: list[Json] = []
    for number, step in enumerate(document.steps):
        reasons: tuple[tuple[Key, RefusalReason], ...] = ()
        notes: list[tuple[Document, Json]] = []
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
                documents += billings[-1][1].documents
            case Verb.CREDIT:
                state, notes = _credit(state, step.credit, documents)
            case Verb.END:
                state, notes = _end(state, step, documents)
            case Verb.EXTEND:
                state = extend_contract(state, step.contract, step.end)
        refused += ({"step": number, "entry": entry, "reason": reason} for entry, reason in reasons)
        corrections += (output.correction(note, number, of, document.cash_rounding) for note, of in notes)
    result: Json = {
        "invoices": [output.invoice(made, document.cash_rounding) for made in _invoices(documents)],
        "statements": [output.statement(made) for made in documents if made.kind is DocumentKind.STATEMENT],
        "allocations": output.allocations(_allocations(state)),
        "skipped": [
            {"until": str(until), "entry": skipped.entry, "reason": skipped.reason}
            for until, billing in billings
            for skipped in billing.skipped
        ],
        "refused": refused,
    }
    if document.dialect.extended:
        result |= {"counted": output.counted(document), "rolled": output.rolled(state), "corrections": corrections}
    return result


def _invoices(documents: Sequence[Document]) -> list[Document]:
    return [made for made in documents if made.kind is DocumentKind.INVOICE]


def _allocations(state: BillingState) -> dict[Key, tuple[Allocation, ...]]:
    """Return the settled and the open allocations by entry id; after a credit, an entry may have both."""
    open_ones = allocate(state)
    return {**state.settled, **{id: state.settled.get(id, ()) + pieces for id, pieces in open_ones.items()}}


def _credit(
    state: BillingState, asked: CreditOf, documents: Sequence[Document]
) -> tuple[BillingState, list[tuple[Document, Json]]]:
    """Return the state after a credit step, and a list with at most one pair: the correction and what it corrects.

    The correction is a credit note or a correcting statement; the second value names the invoice or statement by its
    number, such as `{"invoice": 0}`. The list is empty if nothing was left to credit. Raise `BadDocument` if no invoice
    or statement has the number to credit, or if the chosen part of it cannot be credited.
    """
    kind, number = ("invoice", asked.invoice) if asked.invoice is not None else ("statement", asked.statement)
    of_kind = [made for made in documents if made.kind == kind]
    if number is None or number >= len(of_kind):
        raise BadDocument(f"{asked.path}.{kind}", f"no {kind} of this number was made before")
    credit = Credit(state, of_kind[number], write_off=asked.write_off)
    _choose(credit, asked, of_kind[number])
    state, note = credit.done()
    return state, [] if note is None else [(note, {kind: number})]


def _choose(credit: Credit, asked: CreditOf, of: Document) -> None:
    if all(part is None for part in (asked.lines, asked.entries, asked.minutes, asked.vouchers)):
        credit.take_all()
    for place, line in enumerate(asked.lines or ()):
        if line >= len(of.lines):
            raise BadDocument(f"{asked.path}.lines[{place}]", "the document has no line of this number")
        credit.take_line(of.lines[line])
    detail = frozenset(of.detail)
    for place, entry in enumerate(asked.entries or ()):
        if entry not in detail:
            raise BadDocument(f"{asked.path}.entries[{place}]", "not on this document")
    credit.take_entries(asked.entries or ())
    for name, take, parts in (
        ("minutes", credit.take_minutes, asked.minutes),
        ("vouchers", credit.take_voucher, asked.vouchers),
    ):
        for key, minutes in (parts or {}).items():
            try:
                take(key, minutes)
            except CannotCredit as refusal:
                path = Location(f"{asked.path}.{name}").key(key, 0).path
                raise BadDocument(path, str(refusal)) from None


def _end(
    state: BillingState, step: Step, documents: Sequence[Document]
) -> tuple[BillingState, list[tuple[Document, Json]]]:
    """Return the state after the end of a contract, and the credit notes, each with the invoice that it corrects."""
    found: list[tuple[Document, Json]] = []
    for number, made in enumerate(_invoices(documents)):
        state, notes = end_contract(state, step.contract, step.until, [made])
        found += [(note, {"invoice": number}) for note in notes]
    return end_contract(state, step.contract, step.until, ())[0], found
