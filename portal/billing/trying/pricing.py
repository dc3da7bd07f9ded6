"""Compute what one piece of work would cost under a service, and why, without storing anything."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal

from msgspec import Struct

from portal.billing.allocating import book
from portal.billing.engine import (
    Allocation,
    AllocationKind,
    ContractTerms,
    Entry,
    EntryBilling,
    Key,
    RateSource,
    ServiceTerms,
    allocate,
    approve,
)
from portal.billing.sentences import REFUSED
from portal.contracts.contracts import Contract
from portal.contracts.rates import Rate, role_priced_first
from portal.contracts.services import Service
from portal.database import current
from portal.desk.deadlines.calendars import HOURS
from portal.durations import read_duration
from portal.errors import Invalid
from portal.fields import Checked, day, identifier, optional
from portal.people.agents import Agent
from portal.people.roles import Role
from portal.periods import period_of
from portal.render import formats
from portal.schedules import Schedule, factors, has_prices, read
from portal.timekeeping.rules import Counting
from portal.timekeeping.rules import counted as counted_by_rule
from portal.timekeeping.work import schedule_on

TRIED = 0
"""The id of the entry that is tried; no stored entry has it."""


class TriedWork(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of the work whose price is tried, as typed: ids of service, agent and role, a day and a duration.

    The ids of agent and role may be "". Without a role, the role of the agent applies. Without both, the first role
    that has a rate applies. `duration` may also be two times of day, such as `18:00-19:30`.
    """

    service: str
    day: str
    duration: str
    agent: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the tried work: its minutes, what they cost, and why (a sentence without a full stop)."""

    minutes: int
    amount: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the tried work costs: `amount` in `currency` for `counted` minutes, made up of `pieces`.

    `counting` says how the counted minutes follow from the minutes worked. If the work could not be approved, `refusal`
    says why, and there are no pieces.
    """

    currency: str
    counted: int
    counting: str
    pieces: tuple[Piece, ...] = ()
    refusal: str = ""

    @property
    def amount(self) -> Decimal:
        """Return what the work costs altogether."""
        return sum((piece.amount for piece in self.pieces), Decimal(0))


async def price_of(contract: Contract, work: TriedWork, at: datetime) -> Answer:
    """Return what the work would cost if it were approved now, and why. Nothing is stored.

    Approved time of earlier days, and of the same day, draws prepaid minutes before the work does.

    Raise `Invalid` for a bad field, and `NotFound` for an unknown agent or role.
    """
    service, entry, began = await _read(contract, work, at)
    schedule = await _schedule(service, entry.date)
    span = datetime.combine(entry.date, began, schedule.zone) if schedule and began else None
    by_rule = counted_by_rule(
        entry.billable_minutes, EntryBilling.BILLABLE, service.rounding, schedule=schedule, began=span
    )
    prices = read(by_rule.stretches or "") if has_prices(by_rule.stretches) else ()
    counted = replace(entry, billable_minutes=by_rule.minutes, stretches=prices)
    counting = _counting(service, entry.billable_minutes, by_rule)
    books = await book.load_these([contract.customer_id], [])
    of = next(each for each in books if each.currency == contract.currency)
    state = replace(of.state, entries=(*of.state.entries, counted))
    state, refused = approve(state, [TRIED], of.rates)
    terms, offered = state.places()[counted.service]
    for _, reason in refused:
        sentence = REFUSED[reason].format(entry=counted, contract=terms, service=offered)
        return Answer(of.currency, counted.billable_minutes, counting, refusal=sentence)
    # The tried entry competes for included minutes with the time that is approved already, in the order of the days.
    pieces = allocate(state)[TRIED]
    rates = {rate["id"]: rate for rate in await Rate.listed()}
    vouchers = {voucher.id: voucher.label for voucher in state.vouchers}
    reasons = _Reasons(of.currency, terms, counted, rates, vouchers)
    return Answer(of.currency, counted.billable_minutes, counting, tuple(reasons.pieces(pieces)))


async def _schedule(service: Service, on: date) -> Schedule | None:
    """Return the schedule of the service for work on a day, in the company's time zone; None if it has no schedule."""
    row = await current().fetchrow(
        f"select s.windows, s.holidays, case when s.calendar_holidays then {HOURS} end as calendar,"  # noqa: S608
        " (select time_zone from company) as zone from service s where s.id = $1", service.id,
    )  # fmt: skip
    return schedule_on(on, row, row["zone"] or "UTC")


async def _read(contract: Contract, work: TriedWork, at: datetime) -> tuple[Service, Entry, time | None]:
    """Return the service, the tried work as an entry, and the time of day at which the work began (or None).

    The entry has the minutes worked, and is created at `at`. Raise `Invalid` for a bad field and for a service of
    another contract, `NotFound` for an unknown agent or role.
    """
    checked = Checked()
    duration = checked("duration", read_duration, work.duration)
    on = checked("day", day, work.day)
    service_id = checked("service", identifier, work.service)
    agent_id = checked("agent", optional(identifier), work.agent)
    role_id = checked("role", optional(identifier), work.role)
    checked.done()
    service = next((each for each in await Service.of_contract(contract.id) if each.id == service_id), None)
    if service is None:
        raise Invalid({"service": "Choose a service of this contract."})
    agent = await Agent.find(agent_id) if agent_id else None
    role_id = role_id or (agent.role_id if agent else await role_priced_first(contract, on))
    role = await Role.find(role_id) if role_id else None
    name = agent.name if agent else role.name if role else "somebody without a role"
    entry = Entry(
        id=TRIED, service=service.id, agent=agent_id or 0, agent_name=name, role=role_id, role_name=role.name if role else "",
        date=on, created=at, billing=EntryBilling.BILLABLE, billable_minutes=duration.minutes,
    )  # fmt: skip
    return service, entry, duration.began


def _counting(service: Service, worked: int, by_rule: Counting) -> str:
    """Return the sentence, without a full stop, that says how the counted minutes follow from the minutes worked."""
    counted = by_rule.minutes
    rule = f"rounded {service.rounding.mode.phrase} {formats.spoken(service.rounding_increment)}"
    if service.rounding_minimum:
        rule += f", at least {formats.spoken(service.rounding_minimum)}"
    if words := factors(by_rule.stretches):
        rule = f"{words}; {rule}"
    if worked == counted:
        return f"{formats.spoken(worked)} count as they are ({rule})"
    return f"{formats.spoken(worked)} count as {formats.spoken(counted)} ({rule})"


@dataclass(frozen=True, slots=True)
class _Reasons:
    """What is needed to write why the pieces of an entry cost what they cost.

    `rates` are rows of `Rate.listed` by id, and `vouchers` labels of vouchers by id.
    """

    currency: str
    contract: ContractTerms
    entry: Entry
    rates: dict[int, book.Row]
    vouchers: dict[Key, str]

    def pieces(self, allocations: tuple[Allocation, ...]) -> Iterator[Piece]:
        """Yield a piece for each allocation, with the reason for its amount."""
        for each in allocations:
            yield Piece(each.minutes, each.amount, self._of(each))

    def _of(self, piece: Allocation) -> str:
        match piece.kind:
            case AllocationKind.INCLUDED:
                period = period_of(self.contract.anchor, self.contract.cycle, self.entry.date)
                return f"Hours included in the period from {_day(period.start)} to {_day(period.last)}"
            case AllocationKind.VOUCHER:
                return f"Prepaid hours of {self.vouchers[piece.pool[0] if piece.pool else TRIED]}"
            case AllocationKind.HELD:
                return "Held until a manager decides, because prepaid hours do not cover it wholly"
        if piece.price is None:
            return "Charged"
        price = f"{formats.price(piece.price.hourly_rate, self.currency)} an hour"
        return f"{price}: {self._source(piece)}"

    def _source(self, piece: Allocation) -> str:
        price = piece.price
        if price is None or price.source in (RateSource.OVERAGE, RateSource.SCHEDULE):
            service: ServiceTerms = next(each for each in self.contract.services if each.id == self.entry.service)
            if price and price.source is RateSource.SCHEDULE:
                return f"the price of these hours under “{service.name}”"
            return f"the rate of “{service.name}” beyond the prepaid hours"
        row = self.rates.get(int(price.rate)) if price.rate is not None else None
        if row is None:
            return f"the rate by {price.source}"
        scope = " · ".join(filter(None, (row["customer"], row["service"], row["agent"], row["role"])))
        return f"the rate for {scope} from {_day(row['effective_from'])}"


def _day(on: date) -> str:
    return formats.day_long(on)
