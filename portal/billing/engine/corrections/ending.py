"""Move the end of a contract, and credit the fees that were billed for days after its end."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal

from portal.billing.engine.corrections.credits import days_paid, is_live, with_days_back
from portal.billing.engine.documents import document_of
from portal.billing.engine.fees import price_of_days
from portal.billing.engine.terms import Key
from portal.billing.engine.values import BillingState, Document, Line
from portal.billing.engine.words import DocumentKind
from portal.money import EXACT
from portal.periods import Period


def extend_contract(state: BillingState, contract: Key, until: date | None) -> BillingState:
    """Move the end of `contract` to the later day `until`, and return the new state.

    If `until` is None, the contract no longer has an end. The next run bills fees for the added days.
    """
    contracts = tuple(replace(each, end=until) if each.id == contract else each for each in state.contracts)
    return replace(state, contracts=contracts)


def end_contract(
    state: BillingState, contract: Key, on: date, documents: Iterable[Document]
) -> tuple[BillingState, list[Document]]:
    """End `contract` on `on`, the first day that it does not cover, and credit the fees of its unused days.

    `documents` are the documents made so far. Each invoice with such fees gets one credit note. Invoices and credit
    notes together charge what the invoices would have charged if the end had been known when they were made. If the
    contract is extended later, the credited days are billed again. Approvals are not withdrawn.
    """
    state = extend_contract(state, contract, on)
    notes = []
    for document in documents:
        if document.contract != contract or document.kind is not DocumentKind.INVOICE:
            continue
        unused = [(line, amount) for line in document.lines if (amount := _unused(state, line, on))]
        if unused:
            lines = [_credit_line(state, line, amount, on) for line, amount in unused]
            notes.append(document_of(DocumentKind.CREDIT_NOTE, contract, document.until, (), (), lines, state.digits))
            state = _with_unused_back(state, unused, on)
    return state, notes


def _unused(state: BillingState, line: Line, on: date) -> Decimal:
    """Return what a fee line charges for the days from `on` onwards, less earlier credits; 0 for any other line."""
    paid = days_paid(state, line)
    if paid is None or paid.end is None or paid.end <= on or line.sold is None or not is_live(state, line):
        return Decimal(0)
    contract, service = state.places()[line.service]
    used = price_of_days(contract, service, Period(paid.start, max(on, paid.start)), state.digits)
    charged = EXACT.subtract(line.net, state.credited.get(line.sold, Decimal(0)))
    return max(EXACT.subtract(charged, used), Decimal(0))


def _credit_line(state: BillingState, line: Line, amount: Decimal, on: date) -> Line:
    paid = days_paid(state, line) or Period(on, on)
    rest = Period(max(on, paid.start), paid.end)
    _, service = state.places()[line.service]
    return replace(line, label=f"{service.name} {rest}", active=rest, net=-amount, unit_price=-amount)


def _with_unused_back(state: BillingState, unused: Iterable[tuple[Line, Decimal]], on: date) -> BillingState:
    """Return `state` changed so that these amounts are credited, and these lines bill no days from `on` onwards.

    If all days of a line are credited, its fee counts as not billed, so that a later line may bill the days again.
    """
    credited, reopened = dict(state.credited), dict(state.reopened)
    cut = set()
    for line, amount in unused:
        if line.sold is None or line.active is None:
            continue
        cut.add(line.sold)
        if line.active.start < on:
            credited[line.sold] = EXACT.add(credited.get(line.sold, Decimal(0)), amount)
        else:
            credited.pop(line.sold, None)
            reopened[line.sold] = line.reopened + 1
    return replace(with_days_back(state, cut, on), credited=credited, reopened=reopened)
