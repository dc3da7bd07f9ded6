"""Represent work as an agent enters it in the form for time, and compute the columns of its time entry."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Self

from portal.database import current
from portal.desk.deadlines.business_hours import Calendar
from portal.desk.deadlines.calendars import HOURS
from portal.durations import LONGEST, WORKDAY, Duration, Rounding, RoundingMode, parse_duration, read_duration
from portal.errors import Conflict, Invalid
from portal.fields import clock_time
from portal.periods import day_in
from portal.schedules import Schedule
from portal.schedules.windows import schedule_of
from portal.timekeeping.instants import Span, span_of
from portal.timekeeping.policy.switches import OFF, RULES, Rules
from portal.timekeeping.rules import MOST_COUNTED, TOO_MUCH, Counting, counted, latest_work_date, why_not_on
from portal.visible import visible
from portal.words import EntryBilling, RoundingPer

LONGEST_COMMENT = 1000
LONGEST_DESCRIPTION = 4000
NO_AGENT = "Choose an agent who works here."
NO_DESCRIPTION = "Say what it was for: the manager who approves it reads this."
NO_TASK = "Choose a task of this service, or none."
NO_COMMENT = "Say what was done: the customer reads this."
NO_INTERNAL = "Describe the work: only we read this."
NEEDS_TASK = "Choose the task on which it was worked."
NEEDS_SERVICE = "Choose the service under which it was worked."
NO_SERVICE = "Billable time needs a service: choose one, or set the service of the case."


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Work as an agent describes it in the form for time; the other columns of the entry are computed from it.

    `minutes` are the minutes actually worked (1 to 1440), which no rule changes. If `minutes` is None, the time between
    `began` and `ended` was worked, plus `added` minutes. `general_kind_id` is for general time only. If `role_id` is
    None, the agent's billing role applies. If `billing` is None, the default of the task applies (S0.10), else the
    default of the case's type (S2.13). Without task and case, work is billable if it has a service. `counts`, in
    minutes, overrides the service's rounding rule and needs an `override_reason`. The customer reads
    `external_comment`, never `description`.
    """

    minutes: int | None
    work_date: date
    service_id: int | None = None
    task_id: int | None = None
    general_kind_id: int | None = None
    role_id: int | None = None
    began: time | None = None
    ended: time | None = None
    added: int = 0
    billing: EntryBilling | None = None
    external_comment: str = ""
    description: str = ""
    counts: int | None = None
    override_reason: str = ""

    @classmethod
    def typed(
        cls,
        *,
        duration: str,
        work_date: str,
        service_id: int | None,
        billing: str,
        task_id: int | None = None,
        general_kind_id: int | None = None,
        role_id: int | None = None,
        began: str = "",
        ended: str = "",
        held: int = 0,
        workday: int = WORKDAY,
        external_comment: str = "",
        description: str = "",
        counts: str = "",
        override_reason: str = "",
    ) -> Self:
        """Return the work that was typed into the form for time.

        `work_date` is an ISO date, and `began` and `ended` are clock times such as `09:00`. `duration` is a length such
        as `1h 30m`, or a range of clock times such as `9-10:45`; a range overrides `began` and `ended`. A text is "" if
        its field was left empty; `duration` may be "" if `began` and `ended` are filled in. `held` (the minutes that
        the entry already has) and `workday` (the length of a working day) are in minutes. Raise `Invalid` with an error
        message for each bad field.
        """
        wrong: dict[str, str] = {}

        def read(field: str, parse: Callable[[str], Any], text: str, sentence: str = "") -> Any:
            try:
                return parse(text)
            except ValueError as error:
                wrong[field] = sentence or str(error)

        if bool(began) != bool(ended):
            wrong["ended"] = "Fill in when it began and when it ended, or neither."
        times = [read(name, clock_time, text) for name, text in (("began", began), ("ended", ended)) if text]
        length = Duration(0)
        if duration.strip() or not times:
            length = read("duration", lambda text: read_duration(text, held=held, workday=workday), duration) or length
        times = [length.began, length.ended] if length.began else times
        if (worked_on := day_in(work_date)) is None:
            wrong["work_date"] = "Choose the day on which it was worked."
        choice = read("billing", EntryBilling, billing, "Choose one from the list.") if billing else None
        override = read("counts", parse_counted, counts) if counts.strip() else None
        if wrong or worked_on is None:
            raise Invalid(wrong)
        return cls(
            minutes=None if length.began or not length.minutes else length.minutes,
            work_date=worked_on,
            service_id=service_id,
            task_id=task_id,
            general_kind_id=general_kind_id,
            role_id=role_id,
            began=times[0] if times else None,
            ended=times[1] if times else None,
            added=length.added if length.began else 0,
            billing=choice,
            external_comment=external_comment,
            description=description,
            counts=override,
            override_reason=override_reason,
        )


def parse_counted(text: str) -> int:
    """Return the billable minutes that an agent typed to override the rounding rule: a duration, or 0.

    Raise `ValueError` with an error message for other text.
    """
    return (
        0 if text.strip() in ("0", "0m", "0h", "0:00") else parse_duration(text, most=MOST_COUNTED, too_long=TOO_MUCH)
    )


@dataclass(frozen=True, slots=True)
class Ground:
    """Facts about the agent, the service and the case of an entry that the rules for time entries need.

    `latest` is the last day on which time may be logged. `time_zone` is the agent's. `rounding` and `schedule` belong
    to the service; they may be None. `by_day` says whether the service rounds by day. `has_tasks` says whether the
    service or the project offers a task. `at` is the instant at which the entry is written.
    """

    agent_has_left: bool
    customer_id: int | None
    latest: date
    time_zone: str
    rounding: Rounding | None
    by_day: bool
    schedule: Schedule | None
    billable_by_default: bool
    has_tasks: bool
    rules: Rules
    at: datetime


_GROUND = f"""
select a.time_zone, (select time_zone from company) as company_zone, a.ended_at is not null as ended,
       s.customer_id, s.rounding_minimum, s.rounding_increment, s.rounding_mode, s.rounding_per, s.windows, s.holidays,
       case when s.calendar_holidays then {HOURS} end as calendar,
       t.service_id as task_service_id, t.project_id as task_project_id, t.ended_at is not null as task_has_ended,
       coalesce(t.billable, (select billable from case_type where id = $3)) as is_billable,
       $5::bigint is not null and not exists (select from role where id = $5) as role_is_wrong,
       $6::bigint is not null and not exists (select from general_kind where id = $6 and (ended_at is null or id = $9)) as kind_is_wrong,
       exists (select from task o where o.service_id = $2 and o.ended_at is null and (o.project_id is null or o.project_id = $8)) as has_tasks,
       exists (select from cases c where c.id = $7 and c.project_id is not null) as has_project, {RULES} as rules
from agent a left join service s on s.id = $2 left join task t on t.id = $4 where a.id = $1
"""  # noqa: S608


def schedule_on(day: date, row: Any, zone: str) -> Schedule | None:
    """Return the schedule of a service for work on a day, or None if the service has none.

    `row` has the columns `windows`, `holidays` and `calendar`. The schedule's hours are local times in the zone `zone`.
    """
    calendar = Calendar.read(row["calendar"]).hours.days_off(day) if row["calendar"] else ()
    return schedule_of(row["windows"], row["holidays"], zone, calendar=calendar)


async def ground_of(
    work: Work,
    agent_id: int,
    at: datetime,
    *,
    customer_id: int | None = None,
    case_id: int | None = None,
    case_type_id: int | None = None,
    project_id: int | None = None,
    known_task_id: int | None = None,
    known_kind_id: int | None = None,
) -> Ground:
    """Return the facts about agent, service and case or project that are needed to check `work`.

    `customer_id` is the customer of the entry's case or project. `case_id` is the case of a new entry, None for an
    existing entry: that keeps its case even if new time is refused there. `known_task_id` and `known_kind_id` are the
    stored task and kind of general time of the entry; they may have ended. Raise `Conflict` if time tracking is off.
    Raise `Invalid` at the field `on` if no time may be logged on the case, and at `agent`, `role`, `kind`, `service` or
    `task` for an id that does not exist. Raise `Invalid` also for a service of another customer, for a kind or task
    that has ended, and for a task of another service or project.
    """
    row = await current().fetchrow(
        _GROUND, agent_id, work.service_id, case_type_id, work.task_id, work.role_id, work.general_kind_id, case_id, project_id,
        known_kind_id,
    )  # fmt: skip
    if row is None:
        raise Invalid({"agent": NO_AGENT})
    rules = Rules.read(row["rules"])
    if not rules.tracks_time:
        raise Conflict(OFF)
    if case_id and (sentence := rules.why_not_on_case(has_project=row["has_project"])):
        raise Invalid({"on": sentence})
    for field in ("role", "kind"):
        if row[f"{field}_is_wrong"]:
            raise Invalid({field: "Choose one from the list."})
    if work.service_id is not None and (row["customer_id"] is None or customer_id not in (None, row["customer_id"])):
        raise Invalid({"service": "Choose a service of this customer."})
    if work.task_id is not None:
        is_offered = row["task_service_id"] is not None and row["task_service_id"] == work.service_id
        is_offered = is_offered and row["task_project_id"] in (None, project_id)
        if not is_offered or (row["task_has_ended"] and work.task_id != known_task_id):
            raise Invalid({"task": NO_TASK})
    rounding = None
    if work.service_id is not None:
        rounding = rounding_of(row)
    by_default = row["is_billable"]
    return Ground(
        agent_has_left=row["ended"],
        customer_id=customer_id or row["customer_id"],
        latest=latest_work_date(at, row["time_zone"], row["company_zone"] or row["time_zone"]),
        time_zone=row["time_zone"],
        rounding=rounding,
        by_day=row["rounding_per"] == RoundingPer.DAY,
        schedule=schedule_on(work.work_date, row, row["company_zone"] or row["time_zone"]),
        billable_by_default=work.service_id is not None if by_default is None else by_default,
        has_tasks=row["has_tasks"],
        rules=rules,
        at=at,
    )


def rounding_of(row: Any) -> Rounding:
    """Return the rounding rule for an entry that is logged under a service. `row` is the row of the service.

    If the service rounds the sum of a day (`RoundingPer.DAY`), return a rule that rounds nothing: then an entry has
    unrounded billable minutes at first, and the sum is rounded when the entry is approved.
    """
    if row["rounding_per"] == RoundingPer.DAY:
        return Rounding()
    return Rounding(row["rounding_minimum"], row["rounding_increment"], RoundingMode(row["rounding_mode"]))


def content_of(
    work: Work, ground: Ground, *, known_date: date | None = None, known_span: Span | None = None
) -> dict[str, Any]:
    """Check `work` against the rules, and return the values of the columns of its time entry, by name.

    `known_date` and `known_span` are the stored values of an entry that is changed, None for a new entry. Raise
    `Invalid` with an error message for each bad field.
    """
    wrong = _lacking(work, ground)
    span = None
    if work.began is not None and work.ended is not None:
        zone = known_span.time_zone if known_span else ground.time_zone
        span = span_of(work.work_date, work.began, work.ended, zone, known_span)
    minutes = work.minutes if work.minutes is not None else (span.minutes if span else 0) + work.added
    billing = work.billing or (EntryBilling.BILLABLE if ground.billable_by_default else EntryBilling.NOT_BILLABLE)
    if not 1 <= minutes <= LONGEST:
        wrong["duration"] = "One entry holds from 1\u00a0min to 24\u00a0h."
    if billing is not EntryBilling.NOT_BILLABLE and ground.rounding is None:
        wrong["service"] = NO_SERVICE if ground.customer_id else "General time has no customer, so it cannot be billed."
    comment, description = visible(work.external_comment).strip(), visible(work.description).strip()
    if billing is not EntryBilling.NOT_BILLABLE and ground.rules.requires_comment and not comment:
        wrong["external_comment"] = NO_COMMENT
    if ground.customer_id is None and not description:
        wrong["description"] = NO_DESCRIPTION
    if len(comment) > LONGEST_COMMENT:
        wrong["external_comment"] = f"Use at most {LONGEST_COMMENT} characters."
    if len(description) > LONGEST_DESCRIPTION:
        wrong["description"] = f"Use at most {LONGEST_DESCRIPTION} characters."
    if work.work_date != known_date and (sentence := why_not_on(work.work_date, ground.latest)):
        wrong["work_date"] = sentence
    for worked_on in filter(None, (work.work_date, known_date)):
        if sentence := ground.rules.why_locked(worked_on, ground.at):
            wrong["work_date"] = sentence
    counting = Counting(0)
    try:
        counting = counted(
            minutes, billing, ground.rounding, work.counts, work.override_reason,
            schedule=ground.schedule, began=span.started_at if span else None,
        )  # fmt: skip
    except Invalid as refusal:
        wrong |= refusal.fields
    if wrong:
        raise Invalid(wrong)
    return {
        "service_id": work.service_id,
        "task_id": work.task_id,
        "general_kind_id": work.general_kind_id if ground.customer_id is None else None,
        "role_id": work.role_id,
        "work_date": work.work_date,
        "started_at": span.started_at if span else None,
        "ended_at": span.ended_at if span else None,
        "time_zone": span.time_zone if span else None,
        "actual_minutes": minutes,
        "billing": billing.value,
        "billable_minutes": counting.minutes,
        "rounded_by_day": ground.by_day
        and billing is not EntryBilling.NOT_BILLABLE
        and counting.override_reason is None,
        "override_reason": counting.override_reason,
        "stretches": counting.stretches,
        "external_comment": comment,
        "description": description,
    }


def _lacking(work: Work, ground: Ground) -> dict[str, str]:
    """Return an error message for each empty service, task or description that the admins' rules require (S0.15).

    A task is required only if the service or project offers one. These rules do not apply to general time, for which
    the result is empty. `content_of` checks the external comment, and the description of general time.
    """
    rules, wrong = ground.rules, dict[str, str]()
    if ground.customer_id is None:
        return wrong
    if rules.requires_service and work.service_id is None:
        wrong["service"] = NEEDS_SERVICE
    if rules.requires_task and ground.has_tasks and work.task_id is None:
        wrong["task"] = NEEDS_TASK
    if rules.requires_description and not visible(work.description).strip():
        wrong["description"] = NO_INTERNAL
    return wrong
