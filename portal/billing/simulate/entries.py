"""Read the time entries of an input document, and count their minutes by the rules of their services."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from portal.billing.engine import Entry, EntryBilling
from portal.billing.simulate.fields import Fields, choice, day, instant, integer, rate, reference, text
from portal.billing.simulate.services import Offer, Offers
from portal.schedules import counted_minutes

ENTRY = (
    "id", "service", "agent", "role", "date", "created", "actual_minutes",
    "billing", "billable_minutes", "hourly_rate", "external_comment",
)  # fmt: skip
ENTRY_EXTENDED = ("case", "task", "started")

LONGEST = 31 * 24 * 60
"""The maximum minutes of an entry with a clock time."""

_MARGIN = timedelta(days=62)


@dataclass(frozen=True, slots=True)
class Logged:
    """A time entry as read, before its minutes are counted. `started` is the instant when the work began, or None."""

    entry: Entry
    actual_minutes: int
    started: datetime | None

    def counted(self, services: dict[str, Offer]) -> Entry:
        """Return the entry with its stretches and billable minutes.

        If the input document states the billable minutes of the entry, they stay as they are. `services` has the
        services of the input document by name.
        """
        offer = services[str(self.entry.service)]
        entry = self.entry
        if offer.schedule is not None and self.started is not None:
            entry = replace(entry, stretches=offer.schedule.split(self.started, self.actual_minutes))
        if entry.is_override:
            return entry
        counted = counted_minutes(entry.stretches) if entry.stretches else self.actual_minutes
        return replace(entry, billable_minutes=offer.rounding.apply(counted))


def read_entries(top: Fields, offers: Offers) -> list[Logged]:
    """Return the entries of the document `top` in its order. The errors are added to `top.errors`."""
    found: list[Logged] = []
    seen: set[str] = set()
    for place, value in top.items("entries", required=False):
        fields = Fields.of(top.errors, place, value, offers.dialect.keys(ENTRY, ENTRY_EXTENDED))
        id = fields.take("id", text)
        if fields.unique("id", id, seen):
            seen.add(id)
        found.append(_entry(fields, id, offers))
    return found


def _entry(fields: Fields, id: str, offers: Offers) -> Logged:
    service, agent, role = (
        reference(fields, "service", offers.services),
        fields.take("agent", text),
        fields.take("role", text),
    )
    actual, counted = fields.take("actual_minutes", integer(1)), fields.get("billable_minutes", integer(0))
    entry = Entry(
        id=id,
        service=service,
        agent=agent,
        agent_name=agent,
        role=role,
        role_name=role,
        date=fields.take("date", day),
        created=fields.take("created", instant),
        billing=fields.take("billing", choice(EntryBilling)),
        billable_minutes=counted,
        hourly_rate=fields.get("hourly_rate", rate),
        external_comment=fields.get("external_comment", text, ""),
        case=fields.get("case", text),
        is_override=counted is not None,
        fixed_fee=_fixed_fee(fields, service, offers),
    )
    return Logged(entry, actual, _started(fields, actual))


def _fixed_fee(fields: Fields, service: str | None, offers: Offers) -> Decimal | None:
    """Return the fixed fee of the entry's task, or None if the entry has no task or its task is priced by the hour.

    Record an error if the service has no such task, or if the entry has an hourly rate besides the fixed fee.
    """
    if not fields.has("task") or service not in offers.services:
        return None
    fixed_fees = offers.services[service].fixed_fees
    fee = fixed_fees.get(reference(fields, "task", fixed_fees))
    if fee is not None and fields.has("hourly_rate"):
        fields.wrong("hourly_rate", "the task has a fixed fee")
    return fee


def _started(fields: Fields, minutes: int | None) -> datetime | None:
    started: datetime | None = fields.get("started", instant)
    if started is not None and not date.min + _MARGIN < started.date() < date.max - _MARGIN:
        fields.wrong("started", "too near to the end of the calendar")
    if started is not None and minutes is not None and minutes > LONGEST:
        fields.wrong("actual_minutes", f"more than {LONGEST} minutes of an entry with a clock time")
    return started
