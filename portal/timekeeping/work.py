"""Read what an agent says about a piece of work, and derive the columns of its time entry."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self

from portal.database import current
from portal.durations import LONGEST, Rounding, RoundingMode, parse_duration
from portal.errors import Invalid
from portal.timekeeping.rules import MOST_COUNTED, TOO_MUCH, Counting, counted, latest_work_date, why_not_on
from portal.visible import visible
from portal.words import EntryBilling

LONGEST_COMMENT = 1000
LONGEST_DESCRIPTION = 4000
NO_AGENT = "Choose an agent who works here."
NO_DESCRIPTION = "Say what it was for: the manager who approves it reads this."
NO_TASK = "Choose a task of this service, or none."
NO_SERVICE = "Billable time needs a service: choose one, or set the service of the case."


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Hold what an agent says about a piece of work; the rest of the entry follows from it.

    `minutes` are the minutes actually worked (1 to 1440), which no rule changes. With `billing` None, the task decides
    (S0.10), or without a task the type of the case (S2.13). `counts` overrides the rounding of the service, in
    minutes, and needs an `override_reason`. The customer reads `external_comment`, never `description`.
    """

    minutes: int
    work_date: date
    service_id: int | None = None
    task_id: int | None = None
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
        external_comment: str = "",
        description: str = "",
        counts: str = "",
        override_reason: str = "",
    ) -> Self:
        """Read the texts of a form: a duration such as `1h 30m`, an ISO date, and "" where nothing was chosen.

        Raise `Invalid` by field.
        """
        wrong: dict[str, str] = {}

        def read(field: str, parse: Callable[[str], Any], text: str, sentence: str = "") -> Any:
            try:
                return parse(text)
            except ValueError as error:
                wrong[field] = sentence or str(error)

        minutes = read("duration", parse_duration, duration)
        day = read("work_date", date.fromisoformat, work_date, "Choose the day on which it was worked.")
        choice = read("billing", EntryBilling, billing, "Choose one of the list.") if billing else None
        override = read("counts", parse_counted, counts) if counts.strip() else None
        if wrong:
            raise Invalid(wrong)
        return cls(
            minutes=minutes,
            work_date=day,
            service_id=service_id,
            task_id=task_id,
            billing=choice,
            external_comment=external_comment,
            description=description,
            counts=override,
            override_reason=override_reason,
        )


def parse_counted(text: str) -> int:
    """Return the minutes of an override: a duration, or 0. Raise ValueError with a sentence for the user."""
    return (
        0 if text.strip() in ("0", "0m", "0h", "0:00") else parse_duration(text, most=MOST_COUNTED, too_long=TOO_MUCH)
    )


@dataclass(frozen=True, slots=True)
class Ground:
    """Hold what the rules need to know about the agent, the service and the case of an entry."""

    agent_has_left: bool
    customer_id: int | None
    latest: date
    rounding: Rounding | None
    billable_by_default: bool


_GROUND = """
select a.time_zone, (select time_zone from company) as company_zone, a.ended_at is not null as ended,
       s.customer_id, s.rounding_minimum, s.rounding_increment, s.rounding_mode,
       t.service_id as task_service_id, t.project_id as task_project_id, t.ended_at is not null as task_has_ended,
       coalesce(t.billable, (select billable from case_type where id = $3)) as is_billable
from agent a left join service s on s.id = $2 left join task t on t.id = $4 where a.id = $1
"""


async def ground_of(
    work: Work,
    agent_id: int,
    at: datetime,
    *,
    customer_id: int | None = None,
    case_type_id: int | None = None,
    project_id: int | None = None,
    known_task_id: int | None = None,
) -> Ground:
    """Return what the rules need to know of `work`.

    `customer_id` is the one of its case or project. Raises `Invalid` (`agent`, `service`, `task`) for an agent who is none, for a service of
    another customer, and for a task that the service or project does not have, or that has ended and is not the `known_task_id`.
    """
    row = await current().fetchrow(_GROUND, agent_id, work.service_id, case_type_id, work.task_id)
    if row is None:
        raise Invalid({"agent": NO_AGENT})
    if work.service_id is not None and (row["customer_id"] is None or customer_id not in (None, row["customer_id"])):
        raise Invalid({"service": "Choose a service of this customer."})
    if work.task_id is not None:
        is_offered = row["task_service_id"] is not None and row["task_service_id"] == work.service_id
        is_offered = is_offered and row["task_project_id"] in (None, project_id)
        if not is_offered or (row["task_has_ended"] and work.task_id != known_task_id):
            raise Invalid({"task": NO_TASK})
    rounding = None
    if work.service_id is not None:
        rounding = Rounding(row["rounding_minimum"], row["rounding_increment"], RoundingMode(row["rounding_mode"]))
    by_default = row["is_billable"]
    return Ground(
        agent_has_left=row["ended"],
        customer_id=customer_id or row["customer_id"],
        latest=latest_work_date(at, row["time_zone"], row["company_zone"] or row["time_zone"]),
        rounding=rounding,
        billable_by_default=work.service_id is not None if by_default is None else by_default,
    )


def content_of(work: Work, ground: Ground, known_date: date | None = None) -> dict[str, Any]:
    """Return the columns that follow from the work. Raise `Invalid` with every field that needs a correction."""
    wrong: dict[str, str] = {}
    billing = work.billing or (EntryBilling.BILLABLE if ground.billable_by_default else EntryBilling.NOT_BILLABLE)
    if not 1 <= work.minutes <= LONGEST:
        wrong["duration"] = "One entry holds from 1\u00a0min to 24\u00a0h."
    if billing is not EntryBilling.NOT_BILLABLE and ground.rounding is None:
        wrong["service"] = NO_SERVICE if ground.customer_id else "General time has no customer, so it cannot be billed."
    comment, description = visible(work.external_comment).strip(), visible(work.description).strip()
    if ground.customer_id is None and not description:
        wrong["description"] = NO_DESCRIPTION
    if len(comment) > LONGEST_COMMENT:
        wrong["external_comment"] = f"Use at most {LONGEST_COMMENT} characters."
    if len(description) > LONGEST_DESCRIPTION:
        wrong["description"] = f"Use at most {LONGEST_DESCRIPTION} characters."
    if work.work_date != known_date and (sentence := why_not_on(work.work_date, ground.latest)):
        wrong["work_date"] = sentence
    counting = Counting(0)
    try:
        counting = counted(work.minutes, billing, ground.rounding, work.counts, work.override_reason)
    except Invalid as refusal:
        wrong |= refusal.fields
    if wrong:
        raise Invalid(wrong)
    return {
        "service_id": work.service_id,
        "task_id": work.task_id,
        "work_date": work.work_date,
        "actual_minutes": work.minutes,
        "billing": billing.value,
        "billable_minutes": counting.minutes,
        "override_reason": counting.override_reason,
        "external_comment": comment,
        "description": description,
    }
