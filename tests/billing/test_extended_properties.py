"""Test properties of the engine with rollover, price changes, rounding by day, fixed fees and rates by the clock."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings as of_hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from portal.billing.engine import (
    Allocation,
    AllocationKind,
    BillingState,
    Credit,
    Document,
    DocumentKind,
    EntryBilling,
    Key,
    LineKind,
    RateTable,
    Rollup,
    allocate,
    approve,
    bill,
    release,
    withdraw,
)
from portal.money import total
from tests.billing import books
from tests.examples import ALL

pytestmark = pytest.mark.slow

states = books.extended_states()


def approved(state: BillingState, rates: RateTable) -> BillingState:
    return approve(state, [entry.id for entry in state.entries], rates)[0]


def net(documents: Iterable[Document]) -> Decimal:
    return total((made.net for made in documents), 2)


def unnumbered(allocations: Sequence[Allocation]) -> list[Allocation]:
    return [replace(piece, place=0) for piece in allocations]


@given(states, books.rates, books.days, st.permutations(range(8)))
@books.quick
def test_the_order_of_approval_does_not_matter(
    state: BillingState, rates: RateTable, until: date, order: list[int]
) -> None:
    """The allocations of open time depend only on the days worked, even with rollover and rounding by day (D21)."""
    shuffled = [state.entries[number].id for number in order if number < len(state.entries)]
    one, refused = approve(state, [entry.id for entry in state.entries], rates)
    other, refused_too = approve(state, shuffled, rates)
    assert set(refused) == set(refused_too)
    assert allocate(one) == allocate(other)
    assert bill(one, until).documents == bill(other, until).documents


@given(states, books.rates, books.days, books.days)
@books.quick
def test_two_runs_charge_what_one_run_would(state: BillingState, rates: RateTable, one: date, other: date) -> None:
    """If all time is approved before two runs, both together give the sum and allocations of the later run alone."""
    state = approved(state, rates)
    whole = bill(state, max(one, other))
    first = bill(state, min(one, other))
    second = bill(first.state, max(one, other))
    assert net(first.documents + second.documents) == net(whole.documents)
    assert {**second.state.settled, **allocate(second.state)} == {**whole.state.settled, **allocate(whole.state)}


@given(states, books.rates, books.days)
@books.quick
def test_no_rollup_changes_the_total(state: BillingState, rates: RateTable, until: date) -> None:
    """The net of all documents is the same whatever the rollup, which only groups the charged time (S4.14)."""
    nets = set()
    for rollup in Rollup:
        contracts = tuple(
            replace(each, services=tuple(replace(service, rollup=rollup) for service in each.services))
            for each in state.contracts
        )
        nets.add(net(bill(approved(replace(state, contracts=contracts), rates), until).documents))
    assert len(nets) == 1


@given(states, books.rates, books.days)
@books.quick
def test_a_repeated_run_finds_nothing(state: BillingState, rates: RateTable, until: date) -> None:
    """D47: a repeated run makes no document and changes nothing."""
    first = bill(approved(state, rates), until)
    again = bill(first.state, until)
    assert (again.documents, again.skipped, again.state) == ((), first.skipped, first.state)


@given(states, books.rates, books.days)
@books.quick
def test_crediting_everything_and_running_again_gives_the_same_documents(
    state: BillingState, rates: RateTable, until: date
) -> None:
    """D40: credits of whole documents give back their sums to the cent, and the next run makes the same documents again.

    If there are vouchers, the test credits all time before any fee or voucher. The reason is that a voucher is never
    sold again if it is credited while time still draws from it, and that time may be on another document.
    """
    first = bill(approved(state, rates), until)
    after, notes = first.state, list[Document]()
    for of_time in (True, False) if state.vouchers else (False,):
        for made in first.documents:
            credit = Credit(after, made)
            if of_time:
                credit.take_entries(made.detail)
            else:
                credit.take_all()
            after, note = credit.done()
            notes += [] if note is None else [note]
    assert net(notes) == -net(first.documents)
    if not state.vouchers:
        assert [(note.net, note.tax, note.gross) for note in notes] == [
            (-made.net, -made.tax, -made.gross) for made in first.documents
        ]
    again = bill(after, until)
    assert net(again.documents) == net(first.documents)
    for made, remade in zip(first.documents, again.documents, strict=True):
        assert unnumbered(made.allocations) == unnumbered(remade.allocations)
        assert [(line.label, line.minutes, line.net) for line in made.lines] == [
            (line.label, line.minutes, line.net) for line in remade.lines
        ]


numbers = st.sets(st.integers(0, 7), min_size=1, max_size=4)


class Office(RuleBasedStateMachine):
    """A state machine that approves, withdraws, releases, bills and credits in any order."""

    state: BillingState
    rates: RateTable

    @initialize(state=states, rates=books.rates)
    def start(self, state: BillingState, rates: RateTable) -> None:
        self.state, self.rates = state, rates
        self.documents: list[Document] = []
        self.written_off: Counter[Key] = Counter()

    def chosen(self, which: set[int]) -> list[Key]:
        return [self.state.entries[number].id for number in sorted(which) if number < len(self.state.entries)]

    @rule(which=numbers)
    def approve(self, which: set[int]) -> None:
        self.state, _ = approve(self.state, self.chosen(which), self.rates)

    @rule(which=numbers)
    def withdraw(self, which: set[int]) -> None:
        self.state, _ = withdraw(self.state, self.chosen(which))

    @rule(which=numbers)
    def release(self, which: set[int]) -> None:
        self.state = release(self.state, self.chosen(which))

    @rule(until=books.days)
    def bill(self, until: date) -> None:
        billing = bill(self.state, until)
        self.state = billing.state
        self.documents += billing.documents

    @rule(number=st.integers(0, 20), part=st.integers(0, 20), minutes=st.integers(1, 130), write_off=st.booleans())
    def credit(self, number: int, part: int, minutes: int, *, write_off: bool) -> None:
        """Credit a whole invoice or statement, one of its lines, or some minutes of one of its entries."""
        billed = [made for made in self.documents if made.kind is not DocumentKind.CREDIT_NOTE]
        if not billed:
            return
        of = billed[number % len(billed)]
        credit = Credit(self.state, of, write_off=write_off)
        if part == 0:
            credit.take_all()
        elif part % 2 and of.lines:
            credit.take_line(of.lines[part % len(of.lines)])
        elif of.detail:
            entry = of.detail[part % len(of.detail)]
            live = {(piece.entry, piece.place) for piece in self.state.settled.get(entry, ())}
            left = sum(piece.minutes for piece in of.allocations if (piece.entry, piece.place) in live)
            try:
                credit.take_minutes(entry, min(minutes, left))
            except ValueError:
                return
        self.state, note = credit.done()
        if note is not None and write_off:
            for piece in note.allocations:
                self.written_off[piece.entry] -= piece.minutes
        if note is not None:
            self.documents.append(note) if note.lines else None

    @invariant()
    def the_minutes_of_an_entry_are_settled_or_freed_or_written_off(self) -> None:
        """The settled, freed and written-off minutes of an entry that has been billed sum to its billable minutes.

        Entries with a fixed fee or under a service that rounds by day are left out.
        """
        entries = {entry.id: entry for entry in self.state.entries}
        for id, pieces in self.state.settled.items():
            entry = entries[id]
            settled = sum(piece.minutes for piece in pieces)
            if entry.fixed_fee is None and not self.rounds_by_day(id):
                parts = settled + self.state.freed.get(id, 0) + self.written_off[id]
                assert parts == entry.billable_minutes

    def rounds_by_day(self, id: Key) -> bool:
        service = next(entry.service for entry in self.state.entries if entry.id == id)
        return self.state.places()[service][1].day_rounding is not None

    @invariant()
    def no_two_allocations_have_one_place(self) -> None:
        pieces = [*self.state.settled.values(), *allocate(self.state).values()]
        places = Counter((piece.entry, piece.place) for of_entry in pieces for piece in of_entry)
        assert set(places.values()) <= {1}

    @invariant()
    def what_was_drawn_is_what_settled_pieces_drew(self) -> None:
        """D23: the minutes drawn from a pool (a voucher or a period's included minutes) are those of settled allocations."""
        drawn: Counter[object] = Counter()
        for pieces in self.state.settled.values():
            for piece in pieces:
                if piece.pool is not None:
                    drawn[piece.pool] += piece.minutes
        assert drawn == Counter({pool: minutes for pool, minutes in self.state.drawn.items() if minutes})

    @invariant()
    def no_voucher_is_overdrawn(self) -> None:
        drawn: Counter[object] = Counter()
        for pieces in [*self.state.settled.values(), *allocate(self.state).values()]:
            drawn.update({piece.source: piece.minutes for piece in pieces if piece.kind is AllocationKind.VOUCHER})
        for voucher in self.state.vouchers:
            assert drawn[voucher.id] <= voucher.minutes - self.state.refunded.get(voucher.id, 0)

    @invariant()
    def what_is_charged_less_credits_is_what_is_settled(self) -> None:
        """The time lines of all documents, credit notes included, sum to the amounts of the settled allocations."""
        time = total((line.net for made in self.documents for line in made.lines if line.kind is LineKind.TIME), 2)
        live = total((piece.amount for pieces in self.state.settled.values() for piece in pieces), 2)
        assert time == live

    @invariant()
    def what_is_at_no_charge_costs_nothing(self) -> None:
        entries = {entry.id: entry for entry in self.state.entries}
        for id, pieces in self.state.settled.items():
            if entries[id].billing is EntryBilling.NO_CHARGE:
                assert all(piece.amount == 0 for piece in pieces)


TestOffice = Office.TestCase
TestOffice.settings = of_hypothesis(books.quick, max_examples=150 if ALL else 15, stateful_step_count=20)
