"""Compute the running statement of services: included, used, pending and left minutes, and a forecast (S2.3, S2.20).

The statement is computed from time and allocations whenever it is shown, so it always includes the latest entry.
Pending time is logged but not approved. It draws no prepaid minutes, and is shown beside what is left (D21).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from portal.billing.allocating import book, rolling
from portal.billing.allocating.ledger import Balance, balances
from portal.billing.engine import ContractTerms, IncludedMinutes, Key, PoolKey, RolledMinutes, Rollover, ServiceTerms
from portal.billing.usage.fees import Fees, fees_of
from portal.database import current
from portal.errors import NotFound
from portal.money import digits_of
from portal.people.readers import ContactReader, Reader, System
from portal.periods import Period, period_of
from portal.words import Overflow, Settlement

FULL = 80
"""The percentage of used prepaid time from which people are warned that it is nearly used up."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The minutes to expect in a whole period if the work continues at the same rate as so far.

    Only days on which the service is active count. `so_far` are the minutes in the first `elapsed` days of the period,
    and `minutes` are the minutes to expect in all `days` of the period. Minutes at no charge are left out.

    `beyond` is `minutes` less the prepaid minutes and less the minutes that are already charged or held. It is 0 if
    this difference is negative, or if the service has no prepaid minutes.
    """

    minutes: int
    so_far: int
    elapsed: int
    days: int
    beyond: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The running statement of a service on the day `on`, in minutes. `service` has the prices of that day.

    - `period`: the billing period that contains `on`.
    - `active`: the days of the period on which the service can be used, or None.
    - `granted`: the included minutes of the period. Minutes that several services share count in full for each of them.
    - `included`: the minutes of `granted` that are drawn.
    - `rolled`: the minutes of `granted` that rolled over from earlier periods.
    - `rolled_on`: minutes that have rolled over into the next period, and can no longer be drawn.
    - `rolls_over`: the rule for minutes that are left at the end of the period.
    - `from_vouchers`, `charged`, `free`, `held`: the other approved minutes of the service in the period, by what pays
      for them: vouchers, money, nothing (at no charge), or not decided yet.
    - `pending`: time that is not approved.
    - `vouchers`: all vouchers for the service.
    - `fees`: None if the service is no subscription.
    """

    service: ServiceTerms
    contract: ContractTerms
    currency: str
    on: date
    period: Period
    active: Period | None
    granted: int
    rolled: int
    rolled_on: int
    rolls_over: Rollover | None
    included: int
    from_vouchers: int
    charged: int
    free: int
    held: int
    pending: int
    vouchers: tuple[Balance, ...]
    fees: Fees | None

    @property
    def is_prepaid(self) -> bool:
        """Return whether included minutes or vouchers may pay for the time of the service."""
        return self.service.settlement is not Settlement.TIME_SPENT

    @property
    def used(self) -> int:
        """Return the approved minutes of the period, whatever pays for them."""
        return self.covered + self.charged + self.free + self.held

    @property
    def covered(self) -> int:
        """Return the minutes of the period that prepaid minutes pay for."""
        return self.included + self.from_vouchers

    @property
    def usable(self) -> list[Balance]:
        """Return the vouchers that pay for time worked on the day `on` and have minutes left."""
        return [balance for balance in self.vouchers if balance.state(self.on) == "open"]

    @property
    def left(self) -> int:
        """Return the prepaid minutes that are left in the period and on the usable vouchers."""
        return self.granted - self.included + sum(balance.left for balance in self.usable)

    @property
    def total(self) -> int:
        """Return the prepaid minutes that are drawn in the period or left. The meter on the page has this length."""
        return self.covered + self.left

    @property
    def tone(self) -> str:
        """Return the colour of the meter.

        It is `late` if no prepaid minutes are left, `soon` if at least `FULL` percent are used, otherwise `accent`.
        """
        if not self.left:
            return "late"
        return "soon" if self.covered * 100 >= self.total * FULL else "accent"

    @property
    def shown_pending(self) -> int:
        """Return the part of the pending minutes for which the meter has room."""
        return min(self.pending, self.left)

    @property
    def earlier(self) -> date | None:
        """Return the last day before this period on which the service could be used, or None if there is none.

        This is the last day of the previous period or, after the end of the contract, the last day of the contract.
        """
        whole = self.contract.active(self.service)
        before = whole.within(Period(date.min, self.period.start)) if whole else None
        return before.last if before else None

    @property
    def waits_for_decision(self) -> bool:
        """Return whether time beyond the prepaid minutes is held."""
        return self.service.overflow is Overflow.HOLD

    @property
    def is_refused_beyond(self) -> bool:
        """Return whether approval of time beyond the prepaid minutes is refused."""
        return self.service.overflow is Overflow.BLOCK

    @property
    def forecast(self) -> Forecast | None:
        """Return how many minutes to expect by the end of the period, computed from approved and pending time.

        Minutes at no charge are left out. Return None if there is no time yet, or if the service cannot be used on the
        day `on`.
        """
        so_far = self.used - self.free + self.pending
        if not so_far or self.active is None or self.on not in self.active:
            return None
        elapsed, days = (self.on - self.active.start).days + 1, self.active.days
        minutes = (2 * so_far * days + elapsed) // (2 * elapsed)
        beyond = max(0, minutes - self.total - self.charged - self.held) if self.is_prepaid else 0
        return Forecast(minutes, so_far, elapsed, days, beyond)


async def standings(
    reader: Reader | System, customer_id: int, on: date, service_ids: Collection[int] | None = None
) -> list[Standing]:
    """Return a `Standing` for each service of a customer: its used and remaining minutes on the day `on`.

    `on` is a day in the company's time zone. `service_ids` are the wanted services; None means all services whose
    contract has not ended by then. Services that the reader may not see are left out, so a contact gets an empty list
    for another customer. The function sends at most four queries, or six if minutes of any service roll over.
    """
    terms = await book.load_terms(customer_id)
    places = {service.id: service for contract, _ in terms for service in contract.services}
    found = [
        (contract, service, currency)
        for contract, currency in terms
        for service in contract.services
        if (service.id in service_ids if service_ids is not None else contract.end is None or contract.end > on)
    ]
    periods = [period_of(contract.anchor, contract.cycle, on) for contract, _, _ in found]
    pools = [_pools(contract, service, places, on) for contract, service, _ in found]
    asked = {pool.id: period for period, shared in zip(periods, pools, strict=True) for pool in shared}
    rows = await current().fetch(
        "select * from used_minutes($1, $2, $3)",
        list(asked),
        [period.start for period in asked.values()],
        [period.end for period in asked.values()],
    )
    used = {row["service_id"]: row for row in rows}
    included = await _included(customer_id, [pool.id for shared in pools for pool in shared if pool.rollover], terms)
    prepaid = any(service.settlement is not Settlement.TIME_SPENT for _, service, _ in found)
    vouchers = await balances(customer_id) if prepaid else []
    return [
        _standing(used, contract, shared, currency, period, on, vouchers, included)
        for (contract, service, currency), period, shared in zip(found, periods, pools, strict=True)
        if service.id in used
    ]


async def standing_of(reader: Reader | System, service_id: int | None, on: date) -> Standing | None:
    """Return the running statement of one service on the day `on`, or None if `reader` sees no such service."""
    customer_id = await current().fetchval("select customer_id from service where id = $1", service_id)
    found = await standings(reader, customer_id, on, [service_id]) if customer_id and service_id else []
    return found[0] if found else None


def refuse_without_hours(reader: ContactReader) -> None:
    """Raise `NotFound` for a contact without the right to the customer's hours, as if the page did not exist."""
    if not reader.sees_hours:
        raise NotFound


def _pools(
    contract: ContractTerms, service: ServiceTerms, places: Mapping[Key, ServiceTerms], on: date
) -> list[ServiceTerms]:
    """Return the service and, if the service shares the included minutes of another subscription, this subscription.

    The other subscription is left out if it is not active on the day `on`.
    """
    shared = places[service.shares] if service.shares is not None else None
    whole = contract.active(shared) if shared else None
    return [service, shared] if shared and whole and on in whole else [service]


def _standing(
    used: Mapping[Key, Any], contract: ContractTerms, pools: Sequence[ServiceTerms], currency: str, period: Period,
    on: date, vouchers: Sequence[Balance], included: IncludedMinutes,
) -> Standing:  # fmt: skip
    service, granted = pools[0], [_granted(included, pool, on) for pool in pools]
    row, whole = used[service.id], contract.active(service)
    return Standing(
        service=service.at(on), contract=contract, currency=currency, on=on, period=period,
        active=None if whole is None else period.within(whole),
        granted=sum(all for all, _ in granted), rolled=sum(rolled for _, rolled in granted),
        rolled_on=sum(included.rolled_on(pool.id, on) for pool in pools), rolls_over=pools[-1].rollover,
        included=sum(used[pool.id]["included"] for pool in pools), from_vouchers=row["vouchers"],
        charged=row["charged"], free=row["free"], held=row["held"], pending=row["pending"],
        vouchers=tuple(balance for balance in vouchers if service.id in balance.voucher["service_ids"]),
        fees=fees_of(contract, service, on, digits_of(currency)),
    )  # fmt: skip


async def _included(
    customer_id: int, rolling_over: Sequence[Key], terms: Sequence[tuple[ContractTerms, str]]
) -> IncludedMinutes:
    """Return an `IncludedMinutes` for the subscriptions of a customer, whose contracts and services are `terms`.

    Drawn minutes are read only for the services `rolling_over`, because the included minutes of these services depend
    on what was drawn in earlier periods.
    """
    drawn: dict[PoolKey, int] = {}
    fixed: Mapping[PoolKey, tuple[RolledMinutes, ...]] = {}
    if rolling_over:
        rows = await current().fetch("select * from drawn_minutes($1)", list(rolling_over))
        drawn = {(row["service_id"], row["period_start"]): row["minutes"] for row in rows}
        fixed = await rolling.load([customer_id])
    places = {service.id: (contract, service) for contract, _ in terms for service in contract.services}
    return IncludedMinutes(places, drawn, fixed)


def _granted(included: IncludedMinutes, service: ServiceTerms, on: date) -> tuple[int, int]:
    """Return the included minutes of the period of the day `on`, and how many of these minutes rolled over."""
    pools = included.of(service.id, on) if service.settlement is Settlement.SUBSCRIPTION else ()
    if not pools:
        return 0, 0
    return pools[-1].minutes, pools[-2].minutes if len(pools) > 1 else 0
