"""Time lines: what all rollups share."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from portal.billing.engine.values import Allocation, Entry, Key, Line, Service
from portal.billing.engine.words import AllocationKind, LineKind
from portal.money import total


@dataclass(frozen=True, slots=True)
class Work:
    """An entry that is settled now, with its pieces."""

    entry: Entry
    allocations: tuple[Allocation, ...]

    @property
    def charged(self) -> tuple[Allocation, ...]:
        """The pieces that cost something, or would if their rate were not 0."""
        return tuple(piece for piece in self.allocations if piece.kind is AllocationKind.CHARGED)


class Rule(Protocol):
    """What each module of a rollup defines."""

    def lines(self, service: Service, work: Sequence[Work], digits: int) -> Iterator[Line]:
        """The time lines of `service`; `work` is what is settled of it now, in the order of entries."""


def time_line(service: Service, label: str, work: Sequence[Work], pieces: tuple[Allocation, ...], digits: int) -> Line:
    """One line over the charged pieces of `work`; `pieces` are the allocations that the line shall own."""
    charged = [piece for done in work for piece in done.charged]
    return Line(
        kind=LineKind.TIME,
        service=service.id,
        label=label,
        minutes=sum(piece.minutes for piece in charged),
        unit_price=_shared([piece.price.hourly_rate for piece in charged if piece.price is not None]),
        net=total((piece.amount for piece in charged), digits),
        vat=service.vat,
        entries=tuple(done.entry.id for done in work),
        allocations=pieces,
    )


def grouped(
    service: Service, work: Sequence[Work], group_of: Callable[[Entry], tuple[str, Key | None]], digits: int
) -> Iterator[Line]:
    """One line per group that has charged minutes, ordered by label; `group_of` gives an entry's label and group.

    Two rates in a group stay one line, whose unit price is then empty (D7).
    """
    groups: dict[tuple[str, Key | None], list[Work]] = {}
    for done in work:
        if done.charged:
            groups.setdefault(group_of(done.entry), []).append(done)
    for (label, _), members in sorted(groups.items(), key=lambda item: item[0][0]):
        charged = tuple(piece for done in members for piece in done.charged)
        yield time_line(service, label, members, charged, digits)


def _shared(rates: list[Decimal]) -> Decimal | None:
    """The one rate, as its first piece writes it; None without a rate and where they differ."""
    return rates[0] if rates and all(rate == rates[0] for rate in rates) else None
