"""Make the invoice lines for time; the modules of all rollups use these functions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from portal.billing.engine.terms import Key, ServiceTerms
from portal.billing.engine.values import Allocation, Entry, Line
from portal.billing.engine.words import AllocationKind, LineKind
from portal.money import total


@dataclass(frozen=True, slots=True)
class Work:
    """An entry that this billing run settles, with its allocations (the pieces of its minutes, and what pays)."""

    entry: Entry
    allocations: tuple[Allocation, ...]

    @property
    def charged(self) -> tuple[Allocation, ...]:
        """Return the charged allocations of the entry, including those charged at a rate of 0."""
        return tuple([piece for piece in self.allocations if piece.kind is AllocationKind.CHARGED])


class Rule(Protocol):
    """The function that the module of every rollup defines."""

    def lines(self, service: ServiceTerms, work: Sequence[Work], digits: int) -> Iterator[Line]:
        """Yield the invoice lines for the time of `service`.

        `work` has those entries of the service that the run settles, sorted by `Entry.order`; `digits` is the number of
        decimals of the currency.
        """


def time_line(
    service: ServiceTerms, label: str, work: Sequence[Work], pieces: tuple[Allocation, ...], digits: int
) -> Line:
    """Return one line that sums the charged allocations of `work`.

    `pieces` are the allocations that the line contains. With the rollup `none`, some of them may cost nothing.
    """
    charged = [piece for done in work for piece in done.allocations if piece.kind is AllocationKind.CHARGED]
    return Line(
        kind=LineKind.TIME,
        service=service.id,
        label=label,
        minutes=sum(piece.minutes for piece in charged),
        unit_price=shared_price(charged),
        net=total((piece.amount for piece in charged), digits),
        vat=service.vat,
        entries=tuple(done.entry.id for done in work),
        allocations=pieces,
    )


def grouped(
    service: ServiceTerms, work: Sequence[Work], group_of: Callable[[Entry], tuple[str, Key | None]], digits: int
) -> Iterator[Line]:
    """Yield one line for each group of entries with charged minutes, ordered by label.

    `group_of` returns the label and the key of the group of an entry. If the rates in a group differ, the group stays
    one line, whose unit price is None (D7).
    """
    groups: dict[tuple[str, Key | None], list[Work]] = {}
    for done in work:
        if done.charged:
            groups.setdefault(group_of(done.entry), []).append(done)
    for (label, _), members in sorted(groups.items(), key=lambda item: item[0][0]):
        charged = tuple(
            [piece for done in members for piece in done.allocations if piece.kind is AllocationKind.CHARGED]
        )
        yield time_line(service, label, members, charged, digits)


def shared_price(charged: Iterable[Allocation]) -> Decimal | None:
    """Return the hourly rate that all charged allocations have, with the decimals of the first allocation.

    Return None if the rates differ, if there is no allocation, or if an allocation has a fixed fee.
    """
    rates = [None if piece.price is None else piece.price.hourly_rate for piece in charged]
    return rates[0] if rates and all(rate == rates[0] for rate in rates) else None
