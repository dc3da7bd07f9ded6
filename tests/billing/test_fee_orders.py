"""Test that the parts of a fee sum to the fee for all days, in whatever order they are billed and credited."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from portal.billing.credits.unused import unused_days
from portal.billing.engine import ContractTerms, Rollup, ServiceTerms, Settlement, VatCategory, VatRate
from portal.billing.engine.fees import price_before
from portal.periods import Cycle, Period
from tests.billing import books

FIRST, DAY = date(2026, 3, 1), timedelta(days=1)
MARCH = Period(FIRST, date(2026, 4, 1))


@dataclass
class Part:
    """A fee line of an invoice: its days, its amount, what was credited, and the end of the days that are still billed."""

    position: int
    days: Period
    net: Decimal
    until: date
    credited: Decimal = Decimal(0)

    @property
    def left(self) -> Decimal:
        return self.net - self.credited

    @property
    def row(self) -> dict[str, Any]:
        return {
            "position": self.position,
            "service_id": 1,
            "active_from": self.days.start,
            "active_to": self.days.last,
            "net": self.net,
        }


@dataclass
class Books:
    """The fee of March for a service that is active from `start` to before `end`, with its invoices and credit notes."""

    fee: Decimal
    digits: int
    start: date
    end: date
    parts: list[Part] = field(default_factory=list)

    @property
    def terms(self) -> tuple[ContractTerms, ServiceTerms]:
        vat = VatRate(VatCategory.STANDARD, Decimal(20))
        service = ServiceTerms(1, "Desk", Settlement.SUBSCRIPTION, Rollup.SERVICE, vat, self.start, fee=self.fee)
        return ContractTerms(7, "Support", FIRST, self.end, Cycle.MONTHLY, FIRST, (service,)), service

    @property
    def live(self) -> dict[Period, Decimal]:
        return {Period(part.days.start, part.until): part.left for part in self.parts if part.until > part.days.start}

    def bill(self) -> None:
        """Bill the active days that are not billed yet, as a run does."""
        contract, service = self.terms
        active = Period(self.start, self.end).within(MARCH)
        is_known = not any(part.start == FIRST for part in self.live)
        charged: dict[Period, Decimal | None] = {
            part: amount if is_known else None for part, amount in self.live.items()
        }
        for days in active.without(self.live) if active else ():
            charged[days] = amount = price_before(contract, service, days, charged, self.digits)
            assert days.end
            self.parts.append(Part(len(self.parts), days, amount, days.end))

    def credit(self, order: list[int]) -> None:
        """Credit the fee of the days after the contract's end, and check that nothing is left to credit.

        `order` has the numbers of the invoices in the order in which they are credited. All are tried in two rounds.
        """
        contract, _ = self.terms
        for _ in range(2):
            for number in order:
                if number < len(self.parts):
                    self._credit(contract, self.parts[number])
        assert not any(list(self._unused(contract, part)) for part in self.parts)

    def _unused(self, contract: ContractTerms, part: Part) -> Iterator[Any]:
        if part.days.start < part.until >= self.end and part.left:
            late = {part.position: max(self.end, part.days.start)}
            yield from unused_days(contract, [part.row], late, {part.position: part.left}, {1: self.live}, self.digits)

    def _credit(self, contract: ContractTerms, part: Part) -> None:
        for _, unused in list(self._unused(contract, part)):
            assert 0 < unused.amount <= part.left
            part.credited += unused.amount
            part.until = unused.since


days = st.integers(0, 31).map(lambda number: FIRST + timedelta(days=number))
moves = st.lists(st.tuples(st.sampled_from(["start", "end"]), days, st.permutations(range(8))), min_size=1, max_size=5)


@given(days, days, moves, st.integers(62, 99_999), st.sampled_from([0, 2, 3]))
@books.quick
def test_fees_less_credits_are_the_share_of_the_days_in_every_order(
    start: date, end: date, moves: list[tuple[str, date, list[int]]], units: int, digits: int
) -> None:
    """D26, D38: in whatever order parts of March are billed and credited, what is left is the fee of the active days.

    The fees are so high that each day costs at least the smallest unit of the currency. With a lower fee, the rounding of
    the parts could make a credit larger than its invoice.
    """
    of = Books(Decimal(units).scaleb(-digits), digits, min(start, end), max(start, end))
    of.bill()
    for what, day, order in moves:
        if what == "start":
            of.start = min(of.start, day)
        else:
            of.end = max(day, of.start)
            of.credit(order)
        of.bill()
    share = (of.fee * (of.end - of.start).days / 31).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    assert sum(part.left for part in of.parts) == share
