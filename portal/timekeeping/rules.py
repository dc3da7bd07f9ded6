"""The rules for time entries, as functions of values that do not use the database."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from portal.durations import LONGEST, Rounding, spoken
from portal.errors import Invalid
from portal.people.readers import AgentReader
from portal.schedules import Schedule, counted_minutes, written
from portal.visible import visible
from portal.words import EntryBilling, EntryState

MOST_COUNTED = 2 * LONGEST
"""The maximum number of billable minutes of an entry. Rounding or an override can make them more than were worked."""
TOO_MUCH = f"An entry counts at most {spoken(MOST_COUNTED)}."


OPEN = frozenset({EntryState.DRAFT, EntryState.REJECTED})
"""The states in which the author may change and submit the entry."""

PENDING = frozenset({EntryState.DRAFT, EntryState.SUBMITTED})
"""The states in which no manager has decided on the entry. "Pending" means this everywhere in the code."""


@dataclass(frozen=True, slots=True)
class Counting:
    """The number of billable minutes of an entry.

    `override_reason` is the reason why an agent overrode the rule of the service, or None (D8). `stretches` is stored
    with the entry (D27). It has the worked minutes with their factors or prices, as text of `schedules.written`. It is
    "" if the service has a schedule but the beginning of the work is unknown, and None if no schedule applies.
    """

    minutes: int
    override_reason: str | None = None
    stretches: str | None = None


def counted(
    minutes: int,
    billing: EntryBilling,
    rounding: Rounding | None,
    override: int | None = None,
    reason: str = "",
    *,
    schedule: Schedule | None = None,
    began: datetime | None = None,
) -> Counting:
    """Return the billable minutes of an entry for the `minutes` worked.

    If the entry is not billable or has no service (`rounding` is None), the result is 0. If `override` is given, the
    result is `override`. Otherwise the minutes are multiplied by the factors of `schedule`, for work that began at
    `began`, and rounded by the service's rule. Without `began`, no factor applies. An override that equals the result
    of the rule is ignored. Raise `Invalid` (`duration`, `counts`, `override_reason`) if the result or the override is
    too large, or if the override has no reason.
    """
    if billing is EntryBilling.NOT_BILLABLE or rounding is None:
        return Counting(0)
    stretches = schedule.split(began, minutes) if schedule and began else ()
    by_rule = rounding.apply(counted_minutes(stretches) if stretches else minutes)
    if override is None or override == by_rule:
        if by_rule > MOST_COUNTED:
            raise Invalid({"duration": TOO_MUCH})
        return Counting(by_rule, stretches=None if schedule is None else written(stretches))
    if not 0 <= override <= MOST_COUNTED:
        raise Invalid({"counts": TOO_MUCH})
    reason = visible(reason).strip()
    if not reason:
        raise Invalid({"override_reason": f"Say why it counts {spoken(override)} and not {spoken(by_rule)}."})
    # An override replaces the factors of the schedule, but not its prices.
    return Counting(override, reason, written(stretches) if schedule and schedule.has_rates else None)


def latest_work_date(at: datetime, *zones: str) -> date:
    """Return the last day on which time may be logged at the instant `at`.

    This is the latest of the current dates in these time zones, the agent's and the company's.
    """
    return max(at.astimezone(ZoneInfo(zone)).date() for zone in zones)


def why_not_on(work_date: date, latest: date) -> str | None:
    """Return an error message if `work_date` is after `latest` or more than a year before `latest`, else None."""
    if work_date > latest:
        return "This day is still to come: time is logged once it was worked."
    if work_date < _year_before(latest):
        return "Time can be logged for a year back at most."
    return None


def why_not_billable_on(work_date: date, service: str, begins: date, contract: str, ends: date | None) -> str:
    """Return a sentence if `work_date` is before the service begins or after its contract ends, else "".

    `ends` is the first day after the contract, or None for a contract without end. The sentence says that time of such
    a day cannot be approved.
    """
    if work_date < begins:
        return f"“{service}” begins on {begins:%-d %b %Y}: time before that day cannot be approved."
    if ends is not None and work_date >= ends:
        last = ends - timedelta(days=1)
        return f"The contract “{contract}” ended on {last:%-d %b %Y}: time after that day cannot be approved."
    return ""


def _year_before(day: date) -> date:
    is_leap_day = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year - 1, day=28 if is_leap_day else day.day)


def why_settled(by: AgentReader, draft_id: int | None, invoice: str | None) -> str:
    """Return the error message for `by`, who wants to change time that is on an invoice or statement.

    The time is on the draft invoice `draft_id`, on the issued invoice with the number `invoice`, or, if both are None,
    on a statement.
    """
    if draft_id is not None:
        who = "Take it off the draft" if by.is_manager else "A manager can take it off the draft"
        return f"This time is on a draft. {who}; then it can be changed."
    if invoice is not None:
        who = "Credit it" if by.is_manager else "A manager can credit it"
        return f"This time is on the invoice {invoice}, which stays as it is. {who}; then it can be changed."
    who = "Correct it" if by.is_manager else "A manager can correct it"
    return f"This time is on a statement, which stays as it is. {who}; then it can be changed."


def why_fixed(
    by: AgentReader, agent_id: int, state: EntryState, window_from: datetime, at: datetime, hours: int = 24
) -> str | None:
    """Return why `by` may not change or delete an entry at the instant `at`; None if `by` may (S2.21-S2.25, C5).

    Managers may always change an entry. Authors may change their own entry for `hours` elapsed hours from `window_from`
    (D15), while the entry is a draft or rejected. This function ignores invoices and statements that have settled the
    entry, and locked periods.
    """
    if by.is_manager:
        return None
    if agent_id != by.id:
        return "Only a manager may change a colleague's time."
    if state is EntryState.APPROVED:
        return "This time is approved. A manager can still change it until it is billed."
    if state is EntryState.SUBMITTED:
        return "This time is submitted. A manager can still change it."
    if at - window_from > timedelta(hours=hours):
        return f"Time can be changed for {hours} {'hour' if hours == 1 else 'hours'}. A manager can still change it."
    return None
