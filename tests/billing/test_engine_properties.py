"""Test properties of the engine for any customer: no minute is lost or drawn twice, every total is the sum of its parts."""

from collections import Counter
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.billing.engine import (
    AllocationKind,
    BillingState,
    Document,
    DocumentKind,
    EntryBilling,
    LineKind,
    RateTable,
    allocate,
    approve,
    bill,
    release,
    withdraw,
)
from portal.money import total
from tests.billing import books

pytestmark = pytest.mark.slow

NO_CHARGE = {AllocationKind.INCLUDED, AllocationKind.VOUCHER, AllocationKind.NO_CHARGE}


def approved(state: BillingState, rates: RateTable) -> BillingState:
    return approve(state, [entry.id for entry in state.entries], rates)[0]


@given(books.states(), books.rates)
@books.quick
def test_the_pieces_of_an_entry_sum_to_its_billable_minutes(state: BillingState, rates: RateTable) -> None:
    state = approved(state, rates)
    allocations = allocate(state)
    entries = {entry.id: entry for entry in state.entries}
    assert set(allocations) == {id for id in state.approved if entries[id].billing is not EntryBilling.NOT_BILLABLE}
    for id, pieces in allocations.items():
        assert sum(piece.minutes for piece in pieces) == entries[id].billable_minutes
        assert [piece.place for piece in pieces] == list(range(len(pieces)))
        assert all(piece.minutes > 0 or piece.kind is AllocationKind.NO_CHARGE for piece in pieces)
        assert all(piece.amount == 0 for piece in pieces if piece.kind in NO_CHARGE)
        assert AllocationKind.HELD not in [piece.kind for piece in pieces] or len(pieces) == 1


@given(books.states(), books.rates)
@books.quick
def test_no_voucher_is_overdrawn_or_used_outside_its_days(state: BillingState, rates: RateTable) -> None:
    state = approved(state, rates)
    drawn: Counter[object] = Counter()
    entries, vouchers = ({one.id: one for one in many} for many in (state.entries, state.vouchers))
    for piece in (piece for pieces in allocate(state).values() for piece in pieces):
        if piece.kind is AllocationKind.VOUCHER:
            voucher, entry = vouchers[piece.source], entries[piece.entry]
            drawn[voucher.id] += piece.minutes
            assert voucher.valid_from <= entry.date < voucher.valid_until
            assert entry.service in voucher.services
    assert all(drawn[voucher.id] <= voucher.minutes for voucher in state.vouchers)


@given(books.states(), books.rates, books.days, st.permutations(range(8)))
@books.quick
def test_the_order_of_approval_does_not_matter(
    state: BillingState, rates: RateTable, until: date, order: list[int]
) -> None:
    """The allocations do not depend on the order of the approvals, only on the days worked (D21, D22)."""
    shuffled = [state.entries[number].id for number in order if number < len(state.entries)]
    one, refused = approve(state, [entry.id for entry in state.entries], rates)
    other, refused_too = approve(state, shuffled, rates)
    assert set(refused) == set(refused_too)
    assert allocate(one) == allocate(other)
    assert bill(one, until).documents == bill(other, until).documents


def check(document: Document) -> None:
    assert document.net == total((line.net for line in document.lines), 2)
    assert document.net == total((group.base for group in document.vat), 2)
    assert document.gross == document.net + document.tax
    assert document.net == total((piece.amount for piece in document.allocations), 2) + total(
        (line.net for line in document.lines if line.kind is not LineKind.TIME), 2
    )
    assert (document.kind is DocumentKind.INVOICE) == any(line.net for line in document.lines)
    for line in document.lines:
        assert line.net.as_tuple().exponent == -2
        if line.kind is LineKind.TIME:
            charged = [piece for piece in line.allocations if piece.kind is AllocationKind.CHARGED]
            assert line.net == total((piece.amount for piece in charged), 2)
            assert line.minutes == sum(piece.minutes for piece in charged)
            assert {piece.entry for piece in line.allocations} <= set(line.entries) <= set(document.detail)
        else:
            assert (line.unit_price, line.minutes) == (line.net, None)


@given(books.states(), books.rates, books.days)
@books.quick
def test_sums_are_sums_and_every_old_entry_is_settled_or_skipped(
    state: BillingState, rates: RateTable, until: date
) -> None:
    billing = bill(approved(state, rates), until)
    for document in billing.documents:
        check(document)
    old = {entry.id for entry in state.entries if entry.date < until and entry.is_documented}
    assert set(billing.state.settled) | {skipped.entry for skipped in billing.skipped} == old
    assert not set(billing.state.settled) & {skipped.entry for skipped in billing.skipped}
    in_detail = Counter(id for document in billing.documents for id in document.detail)
    assert in_detail == Counter(list(billing.state.settled))


@given(books.states(), books.rates, books.days)
@books.quick
def test_a_repeated_run_finds_nothing(state: BillingState, rates: RateTable, until: date) -> None:
    """A billing run that is repeated settles nothing and makes no document (D47)."""
    first = bill(approved(state, rates), until)
    again = bill(first.state, until)
    assert (again.documents, again.skipped, again.state) == ((), first.skipped, first.state)


def fees_and_vouchers(documents: tuple[Document, ...]) -> list[tuple[str, Decimal]]:
    return sorted(
        (line.label, line.net)
        for made in documents
        for line in made.lines
        if line.kind is not LineKind.TIME and line.net
    )


@given(books.states(), books.rates, books.days, books.days)
@books.quick
def test_two_runs_charge_what_one_run_would(state: BillingState, rates: RateTable, one: date, other: date) -> None:
    state = approved(state, rates)
    whole = bill(state, max(one, other))
    first = bill(state, min(one, other))
    second = bill(first.state, max(one, other))
    documents = first.documents + second.documents
    assert sum(made.net for made in documents) == sum(made.net for made in whole.documents)
    assert fees_and_vouchers(documents) == fees_and_vouchers(whole.documents)
    assert {**second.state.settled, **allocate(second.state)} == {**whole.state.settled, **allocate(whole.state)}


@given(books.states(), books.rates, st.sets(st.integers(0, 7)))
@books.quick
def test_what_is_withdrawn_leaves_no_trace(state: BillingState, rates: RateTable, numbers: set[int]) -> None:
    """After a withdrawal, the other entries are allocated as if the approval had never been given (D34)."""
    chosen = [state.entries[number].id for number in sorted(numbers) if number < len(state.entries)]
    without, _ = withdraw(approved(state, rates), chosen)
    never, _ = approve(state, [entry.id for entry in state.entries if entry.id not in chosen], rates)
    assert allocate(without) == allocate(never)


@given(books.states(), books.rates)
@books.quick
def test_what_is_released_is_not_held(state: BillingState, rates: RateTable) -> None:
    ids = [entry.id for entry in state.entries]
    before, after = approved(release(state, ids), rates), release(approved(state, rates), ids)
    assert allocate(before) == allocate(after)
    assert not [piece for pieces in allocate(after).values() for piece in pieces if piece.kind is AllocationKind.HELD]
