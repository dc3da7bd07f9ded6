"""Test the engine under any sequence of approvals, withdrawals, releases and billing runs."""

from collections import Counter
from datetime import date

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from portal.billing.engine import (
    Allocation,
    AllocationKind,
    BillingState,
    Key,
    LineKind,
    RateTable,
    allocate,
    approve,
    bill,
    release,
    withdraw,
)
from tests.billing import books
from tests.examples import ALL

pytestmark = pytest.mark.slow

numbers = st.sets(st.integers(0, 7), min_size=1, max_size=4)


class Desk(RuleBasedStateMachine):
    """A state machine that approves, withdraws, releases and bills in any order, as managers may."""

    state: BillingState
    rates: RateTable

    @initialize(state=books.states(), rates=books.rates)
    def start(self, state: BillingState, rates: RateTable) -> None:
        self.state, self.rates = state, rates
        self.frozen: dict[Key, tuple[Allocation, ...]] = {}
        self.detail: Counter[object] = Counter()
        self.sold: Counter[object] = Counter()

    def chosen(self, which: set[int]) -> list[Key]:
        return [self.state.entries[number].id for number in sorted(which) if number < len(self.state.entries)]

    @rule(which=numbers)
    def approve(self, which: set[int]) -> None:
        self.state, _ = approve(self.state, self.chosen(which), self.rates)

    @rule(which=numbers)
    def withdraw(self, which: set[int]) -> None:
        before = self.state
        self.state, refused = withdraw(self.state, self.chosen(which))
        assert [id for id, _ in refused] == [id for id in self.chosen(which) if id in before.settled]

    @rule(which=numbers)
    def release(self, which: set[int]) -> None:
        self.state = release(self.state, self.chosen(which))

    @rule(until=books.days)
    def bill(self, until: date) -> None:
        billing = bill(self.state, until)
        self.state = billing.state
        for document in billing.documents:
            self.detail.update(document.detail)
            for line in document.lines:
                if line.kind is not LineKind.TIME:
                    self.sold[line.service, line.period_start, line.voucher] += 1
            self.frozen |= {id: self.state.settled[id] for id in document.detail}

    @invariant()
    def what_is_settled_stays_as_it_was(self) -> None:
        assert self.state.settled == self.frozen
        assert set(self.state.settled) <= set(self.state.approved)

    @invariant()
    def nothing_is_billed_twice(self) -> None:
        assert set(self.detail.values()) <= {1}
        assert set(self.sold.values()) <= {1}

    @invariant()
    def no_pool_is_overdrawn(self) -> None:
        pieces = [*self.frozen.values(), *allocate(self.state).values()]
        drawn: Counter[object] = Counter()
        for piece in (piece for of_entry in pieces for piece in of_entry):
            drawn[piece.pool] += piece.minutes if piece.kind is not AllocationKind.HELD else 0
        included = {service.id: service.included_minutes for one in self.state.contracts for service in one.services}
        granted = {voucher.id: voucher.minutes for voucher in self.state.vouchers} | included
        assert all(minutes <= granted[pool[0]] for pool, minutes in drawn.items() if isinstance(pool, tuple))


TestDesk = Desk.TestCase
TestDesk.settings = settings(books.quick, max_examples=150 if ALL else 15, stateful_step_count=20)
