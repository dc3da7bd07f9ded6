"""Warn about time that looks wrong: overlaps, days of more than 24 h, closed cases and contracts that have ended.

The form for time and the week grid show these warnings. What approvers are warned about is in
`portal.billing.deciding.oddness`. What must not be logged at all, such as an entry of more than 24 h, is refused by the
module `timekeeping.work`.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from portal.database import current
from portal.durations import LONGEST, spoken
from portal.timekeeping.instants import Span
from portal.timekeeping.policy.switches import RULES, Rules
from portal.timekeeping.rules import why_not_billable_on

OVERLAPS = """
exists (select from time_entry o where o.agent_id = e.agent_id and o.id <> e.id and o.state <> 'rejected'
  and o.started_at > e.started_at - interval '25 hours' and o.started_at < e.ended_at and o.ended_at > e.started_at)
"""
"""SQL condition that the clock times of a time entry `e` overlap those of another entry of its agent.

Rejected entries do not count.
"""


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning about time. `sentence` is its text.

    `code` identifies the rule: `overlap`, `day`, `closed`, `place`, `locked` or `service`.
    """

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class PlannedTime:
    """Time that is about to be stored, as far as it is known.

    `minutes` are the minutes worked. `entry_id` is the id of the entry that is changed, or None for a new entry. A
    changed entry is not compared with itself.
    """

    agent_id: int
    work_date: date
    minutes: int
    span: Span | None = None
    case_id: int | None = None
    service_id: int | None = None
    entry_id: int | None = None


_FACTS = f"""
select {RULES} as rules,
  (select coalesce(sum(e.actual_minutes), 0)::int from time_entry e where e.agent_id = $1 and e.work_date = $2 and e.state <> 'rejected'
   and e.id is distinct from $3) as day_minutes,
  (select array[e.started_at, e.ended_at] from time_entry e where e.agent_id = $1 and e.state <> 'rejected' and e.id is distinct from $3
   and e.started_at > $4::timestamptz - interval '25 hours' and e.started_at < $5 and e.ended_at > $4
   order by e.started_at limit 1) as overlapped,
  c.number, c.status = 'closed' as is_closed, c.project_id is not null as has_project,
  s.name as service, greatest(k.start_on, s.effective_start) as begins, k.name as contract, k.end_on as ends
from (select) as one left join cases c on c.id = $6 left join service s on s.id = $7 left join contract k on k.id = s.contract_id
"""  # noqa: S608


async def warnings(planned: PlannedTime, at: datetime) -> list[Warned]:
    """Return the warnings about time that is about to be stored, found by one query.

    Two of the warnings tell the agent, before the form is sent, that the time cannot be saved: its period is locked, or
    no time may be logged on the case.
    """
    began, ended = (planned.span.started_at, planned.span.ended_at) if planned.span else (None, None)
    row = await current().fetchrow(
        _FACTS, planned.agent_id, planned.work_date, planned.entry_id, began, ended, planned.case_id, planned.service_id
    )
    rules, found = Rules.read(row["rules"]), list[Warned]()
    if locked := rules.why_locked(planned.work_date, at):
        found.append(Warned("locked", locked))
    if planned.case_id and not planned.entry_id and (place := rules.why_not_on_case(has_project=row["has_project"])):
        found.append(Warned("place", place))
    if row["overlapped"] and planned.span:
        since, until = row["overlapped"]
        found.append(Warned("overlap", overlap_words(Span(since, until, planned.span.time_zone))))
    if sentence := day_words(row["day_minutes"] + planned.minutes):
        found.append(Warned("day", sentence))
    if row["is_closed"]:
        found.append(Warned("closed", f"Case #{row['number']} is closed."))
    if row["service"] and (
        sentence := why_not_billable_on(planned.work_date, row["service"], row["begins"], row["contract"], row["ends"])
    ):
        found.append(Warned("service", sentence))
    return found


def overlap_words(other: Span) -> str:
    """Return the warning that the time overlaps with another entry; `other` is the span of that entry."""
    return f"This overlaps with time that is logged from {other.words()}."


def day_words(minutes: int) -> str:
    """Return a warning if the minutes of one day, with the time in the form, exceed 24 hours, else ""."""
    return f"With this, the day has {spoken(minutes)}: more than 24\u00a0h." if minutes > LONGEST else ""


_DAYS = f"""
select e.work_date, sum(e.actual_minutes)::int as minutes, bool_or(e.started_at is not null and {OVERLAPS}) as overlaps
from time_entry e where e.agent_id = $1 and e.work_date >= $2 and e.work_date < $3 and e.state <> 'rejected' group by e.work_date
"""  # noqa: S608


async def of_days(agent_id: int, first: date, days: int = 7) -> dict[date, list[Warned]]:
    """Return the warnings about the agent's stored time on each of the `days` days from `first` on, by one query.

    Days without a warning are left out. The week grid shows the warnings of a day above that day.
    """
    found: dict[date, list[Warned]] = {}
    for row in await current().fetch(_DAYS, agent_id, first, first + timedelta(days=days)):
        if row["minutes"] > LONGEST:
            sentence = f"The day has {spoken(row['minutes'])}: more than 24\u00a0h."
            found.setdefault(row["work_date"], []).append(Warned("day", sentence))
        if row["overlaps"]:
            found.setdefault(row["work_date"], []).append(Warned("overlap", "Some times of this day overlap."))
    return found
