"""Explain a time entry while its form is filled in: how it is understood, what it counts, what the customer sees."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time

from portal.database import current
from portal.desk.deadlines.calendars import HOURS
from portal.durations import Duration, Rounding, RoundingMode, clock, parse_duration, read_duration, spoken
from portal.errors import Invalid
from portal.fields import clock_time
from portal.people.readers import AgentReader
from portal.people.working.hours import workday_of
from portal.periods import day_in
from portal.schedules import factors
from portal.timekeeping.instants import Span, span_of
from portal.timekeeping.policy.guards import PlannedTime, warnings
from portal.timekeeping.rules import counted, why_not_billable_on
from portal.timekeeping.work import rounding_of, schedule_on
from portal.words import EntryBilling, RoundingPer


@dataclass(frozen=True, slots=True)
class Where:
    """Who worked, when and on which case, as far as the form for time says so.

    `at` is the present instant. `began` and `ended` are the clock times as typed. `entry_id` is the entry that is
    changed, None for a new entry.
    """

    agent_id: int
    at: datetime
    case_id: int | None = None
    entry_id: int | None = None
    began: str = ""
    ended: str = ""


WAITING = "Write how long it took: 1h 30m, 90m, 1:30 or 9-10:45."
UNDER_NO_SERVICE = "Choose a service, so that it can be billed."
BY_DAY = " Your time of this day on the same case is rounded together once it is approved."
GENERAL = "General time: nothing of it counts."


@dataclass(frozen=True, slots=True)
class Understood:
    """Preview of a time entry whose form is being filled in.

    - `wrong`: the error message if the duration cannot be read or counts too many minutes, or "".
    - `warning`: a sentence if a manager could not approve the entry, or "".
    - `odd`: further warnings, such as an overlap or a closed case.
    - `text`, `rounding`: sentences that explain how many minutes are billable.
    - `used`: a sentence about the billable minutes of the service in that month, without and with this entry.
    - `share`: three numbers of billable minutes for the meter: approved in that month, not approved yet, and of this
      entry.
    - `instead`: another duration that a number without a unit may mean, such as `2h`, or "".
    - `work_date`: the day of the work; None until the billable minutes can be counted.
    - `seen`: the parts of the invoice row that the customer will see (comment, role, minutes as h:min, "no charge");
      empty if the customer will see nothing.
    """

    wrong: str = ""
    warning: str = ""
    odd: tuple[str, ...] = ()
    text: str = ""
    rounding: str = WAITING
    used: str = ""
    share: tuple[int, int, int] = (0, 0, 0)
    instead: str = ""
    work_date: date | None = None
    seen: tuple[str, ...] = ()

    @property
    def instead_words(self) -> str:
        """Return the duration `instead` with a space before its unit: `2 h` for `2h`."""
        return spoken(parse_duration(self.instead))


_SERVICE = f"""
select s.rounding_minimum, s.rounding_increment, s.rounding_mode, s.rounding_per, s.windows, s.holidays,
  case when s.calendar_holidays then {HOURS} end as calendar,
  (select time_zone from company) as zone, s.name, s.effective_start,
  k.name as contract, k.start_on, k.end_on,
  (select r.name from agent a join role r on r.id = coalesce($4, a.role_id) where a.id = $3) as role,
  (select coalesce(sum(e.billable_minutes), 0)::int from time_entry e where e.service_id = s.id and e.state <> 'rejected' and e.id is distinct from $6
   and e.work_date >= date_trunc('month', $5::date) and e.work_date < date_trunc('month', $5::date) + interval '1 month') as used,
  (select coalesce(sum(e.billable_minutes), 0)::int from time_entry e where e.service_id = s.id and e.state = 'approved' and e.id is distinct from $6
   and e.work_date >= date_trunc('month', $5::date) and e.work_date < date_trunc('month', $5::date) + interval '1 month') as approved
from service s join contract k on k.id = s.contract_id where s.id = $1 and s.customer_id = coalesce($2, s.customer_id)
"""  # noqa: S608


async def understood(
    by: AgentReader,
    customer_id: int | None,
    *,
    duration: str,
    work_date: str,
    service_id: int | None,
    billing: str,
    external_comment: str,
    role_id: int | None = None,
    is_general: bool = False,
    held: int = 0,
    where: Where | None = None,
) -> Understood:
    """Return the preview of the values entered so far. Values that cannot be read raise no exception.

    With `customer_id` None, the service may belong to any customer. If an entry is being changed, `held` is the number
    of minutes that it has now, to which a duration such as `+15m` is added. `where` says who worked, when and on which
    case. If `where` is None, no warnings are looked for, and `Understood.odd` is empty.
    """
    if not duration.strip():
        return Understood()
    worked_by = where.agent_id if where else by.id
    try:
        read = read_duration(duration, held=held, workday=await workday_of(worked_by, duration, work_date))
    except ValueError as error:
        return Understood(wrong=str(error))
    day = day_in(work_date)
    span = _span(await _zone_of(by, worked_by), where, read, day) if where and day else None
    odd = await _odd(where, read, day, span) if where and day else ()
    meaning = await _meaning(
        worked_by, customer_id, read, day, span, service_id, billing, external_comment, role_id, is_general,
        where.entry_id if where else None,
    )  # fmt: skip
    return replace(meaning, odd=odd)


async def _odd(where: Where, read: Duration, day: date, span: Span | None) -> tuple[str, ...]:
    """Return, as sentences, the warnings about the time that was typed into the form."""
    planned = PlannedTime(
        agent_id=where.agent_id, work_date=day, minutes=read.minutes, span=span,
        case_id=where.case_id, entry_id=where.entry_id,
    )  # fmt: skip
    return tuple(warned.sentence for warned in await warnings(planned, where.at))


async def _zone_of(by: AgentReader, agent_id: int) -> str:
    """Return the time zone of the agent who worked, in which the clock times of the form are read.

    If there is no agent with the id `agent_id`, return the time zone of `by`.
    """
    if agent_id == by.id:
        return by.time_zone
    zone: str | None = await current().fetchval("select time_zone from agent where id = $1", agent_id)
    return zone or by.time_zone


def _span(zone: str, where: Where, read: Duration, day: date) -> Span | None:
    """Return the instants of the clock times that were typed.

    Return None if a clock time is missing, if both are equal, or if daylight saving skips one of them.
    """
    began, ended = read.began, read.ended
    if began is None:
        began, ended = _clock(where.began), _clock(where.ended)
    try:
        return span_of(day, began, ended, zone) if began and ended and began != ended else None
    except Invalid:
        return None


async def _meaning(
    worked_by: int,
    customer_id: int | None,
    read: Duration,
    day: date | None,
    span: Span | None,
    service_id: int | None,
    billing: str,
    external_comment: str,
    role_id: int | None,
    is_general: bool,
    entry_id: int | None,
) -> Understood:
    """Return the preview for the duration `read`, with an empty `odd`; `worked_by` is the id of the agent who worked.

    `entry_id` is the entry that is changed, whose stored minutes are left out of the sums of the month.
    """
    minutes, words = read.minutes, _spoken(read)
    choice = EntryBilling(billing) if billing in list(EntryBilling) else EntryBilling.BILLABLE
    if is_general:
        return Understood(text=words, rounding=GENERAL, instead=read.instead)
    if choice is EntryBilling.NOT_BILLABLE:
        return Understood(text=words, rounding="Not billable: nothing of it counts.", instead=read.instead)
    row = await current().fetchrow(_SERVICE, service_id, customer_id, worked_by, role_id, day, entry_id)
    if row is None:
        return Understood(text=words, rounding=UNDER_NO_SERVICE, instead=read.instead)
    rounding = Rounding(row["rounding_minimum"], row["rounding_increment"], RoundingMode(row["rounding_mode"]))
    by_day = row["rounding_per"] == RoundingPer.DAY
    schedule = schedule_on(day, row, row["zone"] or "UTC") if day else None
    try:
        counting = counted(
            minutes, choice, rounding_of(row), schedule=schedule, began=span.started_at if span else None
        )
    except Invalid as refusal:
        return Understood(wrong=refusal.fields["duration"])
    counts = counting.minutes
    parts = (
        external_comment.strip(),
        row["role"] or "",
        clock(counts),
        "no charge" if choice is EntryBilling.NO_CHARGE else "",
    )
    begins = max(row["start_on"], row["effective_start"])
    return Understood(
        warning=why_not_billable_on(day, row["name"], begins, row["contract"], row["end_on"]) if day else "",
        text=f"{words}, counts {spoken(counts)}",
        rounding=" ".join(filter(None, (_factors(counting.stretches), words_of(rounding))))
        + (BY_DAY if by_day else ""),
        used=_used(row["name"], day, row["used"], row["used"] - row["approved"], counts) if day else "",
        share=(row["approved"], row["used"] - row["approved"], counts) if day else (0, 0, 0),
        instead=read.instead,
        work_date=day,
        seen=tuple(filter(None, parts)),
    )


def _spoken(read: Duration) -> str:
    """Return the duration in words: `1 h 45 min`, or `9:00 to 10:45, 1 h 45 min` if clock times were typed."""
    if read.began is None or read.ended is None:
        return spoken(read.minutes)
    times = f"{read.began.hour}:{read.began:%M} to {read.ended.hour}:{read.ended:%M}"
    return f"{times}{' of the next day' if read.ended < read.began else ''}, {spoken(read.minutes)}"


def _used(service: str, day: date, used: int, pending: int, counts: int) -> str:
    """Return a sentence about the billable minutes of the service in the month of `day`, without and with the entry."""
    waiting = f", {spoken(pending)} of it not approved yet" if pending else ""
    return f"{service} in {day:%B}: {spoken(used)}{waiting}, then {spoken(used + counts)}."


def _factors(stretches: str | None) -> str:
    """Return a sentence about the factors or prices that the service's schedule sets for parts of an entry.

    Return "" if no schedule applies to the entry.
    """
    words = factors(stretches)
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def words_of(rounding: Rounding) -> str:
    """Return sentences that explain a service's rounding rule to the agent who logs time."""
    step = f"Rounded {rounding.mode.phrase} {spoken(rounding.increment)}." if rounding.increment > 1 else ""
    least = f"At least {spoken(rounding.minimum)}." if rounding.minimum else ""
    return " ".join(filter(None, (step, least))) or "Counts as it was worked."


def _clock(text: str) -> time | None:
    try:
        return clock_time(text)
    except ValueError:
        return None
