"""The included minutes of subscriptions: by period, shared by several services, and rolled over (D26).

Minutes that were not used in a period roll over into the next period if the service has a rollover. In the next period,
they are drawn before the minutes of that period, the oldest first. Until a billing run has closed a period, the minutes
that roll over from it are computed from all approved entries. Afterwards these minutes are fixed, so an entry of the
period that is approved later can draw only minutes that did not roll over.
"""

from collections.abc import Iterator, Mapping
from datetime import date

from portal.billing.engine.settlements.pools import Pool
from portal.billing.engine.terms import ContractTerms, Key, Rollover, ServiceTerms
from portal.billing.engine.values import PoolKey, RolledMinutes
from portal.billing.engine.words import AllocationKind
from portal.periods import Period, period_of

Rolled = tuple[RolledMinutes, ...]
"""The minutes that roll into a period, the oldest first."""


class IncludedMinutes:
    """The included minutes of one customer's subscriptions. Call the methods for days in ascending order.

    Each call reads `drawn`. The caller must therefore add the minutes that an entry draws to `drawn` before it calls a
    method for the next entry. `fixed` has the minutes that rolled over into a period, for each period that follows a
    closed period.
    """

    def __init__(
        self,
        places: Mapping[Key, tuple[ContractTerms, ServiceTerms]],
        drawn: Mapping[PoolKey, int],
        fixed: Mapping[PoolKey, Rolled],
    ) -> None:
        self._places, self._drawn, self._fixed = places, drawn, fixed
        self._reached: dict[Key, tuple[Period, Rolled]] = {}
        self._found: dict[tuple[Key, date], tuple[Pool, ...]] = {}

    def shared(self, service: ServiceTerms, day: date) -> Iterator[Pool]:
        """Yield the pools of the subscription `service.shares` in the period of `day`.

        Yield nothing if the service shares no subscription, or if the subscription is not active on `day`.
        """
        if service.shares is None:
            return
        contract, subscription = self._places[service.shares]
        whole = contract.active(subscription)
        if whole is not None and day in whole:
            yield from self.of(service.shares, day)

    def of(self, service: Key, day: date) -> tuple[Pool, ...]:
        """Return the pools of included minutes of the subscription `service` in the period of `day`.

        Minutes that rolled over into this period come first. If this period is closed, minutes that rolled over from it
        into the next period are left out.
        """
        if (service, day) not in self._found:
            self._found[service, day] = tuple(self._pools(service, day))
        return self._found[service, day]

    def _pools(self, service: Key, day: date) -> Iterator[Pool]:
        contract, terms = self._places[service]
        period = period_of(contract.anchor, contract.cycle, day)
        rolled = self._rolled_into(contract, terms, period) if terms.rollover else ()
        own = _own(contract, terms, period)
        if own is None:
            return
        left = sum(each.minutes for each in rolled) + own - self._rolled_on(terms, period)
        mark = 0
        for each in rolled:
            mark += each.minutes
            yield Pool(AllocationKind.INCLUDED, (service, period.start), min(mark, left), each.origin)
        yield Pool(AllocationKind.INCLUDED, (service, period.start), left)

    def rolled_on(self, service: Key, day: date) -> int:
        """Return the minutes that rolled over from the period of `day` into the next period.

        Return 0 if no run has closed the period of `day`.
        """
        contract, terms = self._places[service]
        return self._rolled_on(terms, period_of(contract.anchor, contract.cycle, day))

    def closed(self, until: date) -> Iterator[tuple[PoolKey, Rolled]]:
        """Yield what rolls over from each period that has ended by `until`, with the key of the next period.

        The last active period is left out: nobody could use what would roll over from it.
        """
        for contract, terms in self._places.values():
            whole = contract.active(terms)
            if terms.rollover is None or whole is None:
                continue
            period = _first(contract, terms.rollover, whole)
            while period.end is not None and period.end <= until and period.within(whole):
                following = period_of(contract.anchor, contract.cycle, period.end)
                if following.within(whole) is None:
                    break
                yield (terms.id, following.start), self._rolled_into(contract, terms, following)
                period = following

    def _rolled_on(self, terms: ServiceTerms, period: Period) -> int:
        """Return the minutes that rolled over from a closed period into the next; 0 for a period that is not closed."""
        return sum(each.minutes for each in self._fixed.get((terms.id, period.end), ()))

    def _rolled_into(self, contract: ContractTerms, terms: ServiceTerms, period: Period) -> Rolled:
        """Return the minutes that roll over into `period`.

        Calls for ascending periods are cheapest. A call for an earlier period than the last call starts the computation
        anew.
        """
        whole = contract.active(terms)
        if whole is None or terms.rollover is None:
            return ()
        first = _first(contract, terms.rollover, whole)
        at, rolled = self._reached.get(terms.id, (first, ()))
        if period.start < at.start:
            at, rolled = first, ()
        while at.end is not None and at.end <= period.start:
            following = period_of(contract.anchor, contract.cycle, at.end)
            fixed = self._fixed.get((terms.id, following.start))
            rolled = self._next(contract, terms, terms.rollover, at, rolled) if fixed is None else fixed
            at = following
        self._reached[terms.id] = at, rolled
        return rolled

    def _next(
        self, contract: ContractTerms, terms: ServiceTerms, rollover: Rollover, period: Period, rolled: Rolled
    ) -> Rolled:
        """Return the minutes that roll over from `period` into the next period, at most `rollover.cap`.

        `rolled` are the minutes that rolled over into `period`. Minutes that have rolled over as often as allowed are
        left out. If the remaining minutes exceed the cap, the oldest minutes are left out too.
        """
        own = RolledMinutes(period.start, _own(contract, terms, period) or 0, rollover.periods)
        used = self._drawn.get((terms.id, period.start), 0)
        room = rollover.cap
        kept: list[RolledMinutes] = []
        for each, left in reversed(list(_left([*rolled, own], used))):
            minutes = left if room is None else min(left, room)
            if minutes and each.periods:
                kept.append(RolledMinutes(each.origin, minutes, each.periods - 1))
                room = None if room is None else room - minutes
        return tuple(reversed(kept))


def _first(contract: ContractTerms, rollover: Rollover, whole: Period) -> Period:
    """Return the first period from which minutes may roll over. `whole` has the active days of the service."""
    since = max(whole.start, rollover.since or whole.start)
    return period_of(contract.anchor, contract.cycle, since)


def _left(granted: list[RolledMinutes], used: int) -> Iterator[tuple[RolledMinutes, int]]:
    """Yield each item of `granted` in order, with the minutes that are left of it once `used` minutes were drawn."""
    for each in granted:
        drawn = min(used, each.minutes)
        used -= drawn
        yield each, each.minutes - drawn


def _own(contract: ContractTerms, service: ServiceTerms, period: Period) -> int | None:
    """Return the included minutes of `period`, reduced to its active days; None if none of its days is active."""
    whole = contract.active(service)
    active = None if whole is None else period.within(whole)
    return None if active is None else service.at(active.start).included_minutes * active.days // period.days
