"""Describe contract terms that are tried out on logged time, read them from a form, and apply them to services."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct

from portal.billing.engine import (
    ContractTerms,
    Due,
    Entry,
    EntryBilling,
    Overflow,
    Rollover,
    Rollup,
    ServiceTerms,
    Settlement,
    Voucher,
)
from portal.contracts.terms import LARGEST_RATE, MOST_PERIODS, of_voucher, prepaid
from portal.durations import Rounding, RoundingMode
from portal.fields import Checked, one_of, optional, whole
from portal.money import parse_money
from portal.periods import Cycle
from portal.schedules import Schedule, counted_minutes
from portal.schedules.windows import holidays, schedule_of, windows


@dataclass(frozen=True, slots=True)
class Offer:
    """Contract terms to be tried out: they are applied to logged time of a customer, to see what it would have cost.

    - `fee`, `included_minutes` and `cycle`: used for a subscription; the fee is for one period of `cycle`.

    - `voucher_minutes` and `price`: used for vouchers; a new voucher is sold whenever the last voucher is used up.

    - `overage_rate`: the price of an hour beyond the prepaid minutes; if it is None, the rates apply.

    - `rounding`: how worked minutes are rounded, or None.

    - `schedule`: the hours at which minutes count or cost more, or None (D27). If `rounding` is None too, each entry
      keeps its billable minutes and its factors.

    - `rollover`: how unused minutes of a subscription roll over into later periods (D26).
    """

    settlement: Settlement
    cycle: Cycle = Cycle.MONTHLY
    fee: Decimal = Decimal(0)
    included_minutes: int = 0
    due: Due = Due.ADVANCE
    overage_rate: Decimal | None = None
    voucher_minutes: int = 0
    price: Decimal = Decimal(0)
    rounding: Rounding | None = None
    schedule: Schedule | None = None
    rollover: Rollover | None = None


@dataclass(frozen=True, slots=True)
class Worked:
    """A past entry and its worked minutes, from which the billable minutes can be computed again under other terms.

    `began` is the instant at which the work began, or None if only the day is known.
    """

    entry: Entry
    actual_minutes: int
    began: datetime | None = None

    def counted(self, offer: Offer) -> Entry:
        """Return the entry with the billable minutes that it would have under `offer`.

        The schedule counts the worked minutes, and the result is rounded. If the offer has neither a rounding nor a
        schedule, the entry stays unchanged. Billable minutes that were set by hand are kept. The result has stretches
        only if the schedule has hourly rates.
        """
        entry, schedule = self.entry, offer.schedule
        if offer.rounding is None and schedule is None:
            return entry
        stretches = schedule.split(self.began, self.actual_minutes) if schedule and self.began else ()
        counted = counted_minutes(stretches) if stretches else self.actual_minutes
        minutes = entry.billable_minutes if entry.is_override else (offer.rounding or Rounding()).apply(counted)
        priced = stretches if schedule and schedule.has_rates else ()
        return replace(entry, billable_minutes=minutes, stretches=priced)


def contract_of(offer: Offer, services: Sequence[ServiceTerms], start: date, end: date) -> ContractTerms:
    """Return a contract, from `start` to the day before `end`, under which `offer` pays for the time of all `services`.

    The services keep their ids, so that their own rates apply. If the offer is a subscription, the first service has
    the fee and the included minutes, and the other services draw these minutes too.
    """
    first, *others = services
    plain = replace(
        first, settlement=offer.settlement, rollup=Rollup.SERVICE, effective_start=start, overflow=Overflow.BILL,
        overage_rate=offer.overage_rate, fee=offer.fee, included_minutes=offer.included_minutes, due=offer.due,
        changes=(), rollover=offer.rollover if offer.settlement is Settlement.SUBSCRIPTION else None, shares=None, day_rounding=None,
    )  # fmt: skip
    if offer.settlement is Settlement.TIME_SPENT:
        plain = replace(plain, overage_rate=None, fee=Decimal(0), included_minutes=0)
    sharing = plain
    if offer.settlement is Settlement.SUBSCRIPTION:
        sharing = replace(
            plain, settlement=Settlement.VOUCHER, fee=Decimal(0), included_minutes=0, shares=first.id, rollover=None
        )
    return ContractTerms(
        id=0, name="", start=start, end=end, cycle=offer.cycle, anchor=start.replace(day=1),
        services=(plain, *(replace(sharing, id=each.id, name=each.name, vat=each.vat) for each in others)),
    )  # fmt: skip


def vouchers_of(offer: Offer, entries: Iterable[Entry], contract: ContractTerms) -> tuple[Voucher, ...]:
    """Return the vouchers of `offer` that the entries need, each sold on the day of the first entry that needs it."""
    if offer.settlement is not Settlement.VOUCHER or not offer.voucher_minutes:
        return ()
    services = tuple(service.id for service in contract.services)
    return tuple(
        Voucher(number, "", services, offer.voucher_minutes, offer.price, day, contract.start, None)
        for number, day in enumerate(_sales(offer.voucher_minutes, entries))
    )


def _sales(minutes: int, entries: Iterable[Entry]) -> Iterator[date]:
    """Yield the day of each sale of a voucher of `minutes`.

    A voucher is sold on the day of an entry that the vouchers sold before do not cover wholly.
    """
    left = 0
    for entry in sorted(entries, key=lambda entry: entry.order):
        if entry.billing is not EntryBilling.BILLABLE or entry.fixed_fee is not None:
            continue
        left -= entry.billable_minutes
        while left < 0:
            left += minutes
            yield entry.date


class TriedTerms(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields, as typed, for trying out contract terms.

    The terms are applied to time already logged, to see what it would have cost. `settlement` is a member of
    `Settlement`. A subscription uses `fee`, `included` and `cycle`, and a voucher uses `hours` and `price`. Both use
    `overage_rate`, which may be empty. `rounding_increment` and `rounding_minimum` are minutes. If `rounding_increment`
    and `windows` are empty, each entry keeps its billable minutes. `windows`, `holidays`, `rollover_periods` and
    `rollover_cap` have the same format as in the form for a service (`ServiceFacts`). `calendar_holidays` is `yes` or
    "", and says whether the days off of the company's calendar are holidays too.
    """

    settlement: str = Settlement.SUBSCRIPTION.value
    cycle: str = Cycle.MONTHLY.value
    fee: str = ""
    included: str = ""
    hours: str = ""
    price: str = ""
    overage_rate: str = ""
    rounding_increment: str = ""
    rounding_minimum: str = ""
    rounding_mode: str = RoundingMode.UP.value
    windows: str = ""
    holidays: str = ""
    calendar_holidays: str = ""
    rollover_periods: str = ""
    rollover_cap: str = ""


def read_offer(terms: TriedTerms, digits: int, *, zone: str = "UTC", days_off: Iterable[date] = ()) -> Offer:
    """Validate the form fields, and return the terms as an offer. Amounts have at most `digits` decimals.

    The hours of windows are in the time zone `zone`, and `days_off` are the days off of the company's calendar. Fields
    that the settlement does not need are ignored. Raise `Invalid` with an error message for each bad field.
    """
    checked = Checked()
    settlement = Settlement(checked("settlement", one_of(tuple(Settlement)), terms.settlement) or Settlement.TIME_SPENT)
    has_fee, has_hours = settlement is Settlement.SUBSCRIPTION, settlement is Settlement.VOUCHER
    increment = checked("rounding_increment", optional(whole(1, 1440, "minutes")), terms.rounding_increment)
    minimum = checked("rounding_minimum", optional(whole(0, 1440, "minutes")), terms.rounding_minimum)
    mode = RoundingMode(checked("rounding_mode", one_of(tuple(RoundingMode)), terms.rounding_mode) or RoundingMode.UP)
    rate = optional(lambda text: parse_money(text, 4, largest=LARGEST_RATE))
    lines, days = checked("windows", windows, terms.windows), checked("holidays", holidays, terms.holidays)
    periods = checked("rollover_periods", optional(whole(1, MOST_PERIODS, "periods")), terms.rollover_periods)
    cap = checked("rollover_cap", optional(prepaid), terms.rollover_cap)
    offer = Offer(
        settlement,
        cycle=Cycle(checked("cycle", one_of(tuple(Cycle)), terms.cycle) or Cycle.MONTHLY),
        fee=checked("fee", lambda text: parse_money(text, digits), terms.fee) if has_fee else Decimal(0),
        included_minutes=checked("included", prepaid, terms.included) if has_fee else 0,
        overage_rate=checked("overage_rate", rate, terms.overage_rate) if has_fee or has_hours else None,
        voucher_minutes=checked("hours", of_voucher, terms.hours) if has_hours else 0,
        price=checked("price", lambda text: parse_money(text, digits), terms.price) if has_hours else Decimal(0),
        rounding=Rounding(minimum or 0, increment, mode) if increment else None,
        schedule=schedule_of(lines, days, zone, calendar=days_off if terms.calendar_holidays else ()),
        rollover=Rollover(periods, cap) if periods and has_fee else None,
    )
    checked.done()
    return offer
