"""Remind managers of time that waits for approval, and agents of time of last week that is not logged or submitted.

Reminders are made in the morning, in the time zone of the recipient. Managers are reminded on each working day. Agents
are reminded at most once a week, on the first working day on which such time is missing. The `record_id` of a reminder
is a day, written as a number, so that nobody gets the same reminder twice. For a reminder of approvals, it is the
present day. For a reminder of missing time, it is the Monday of last week.
"""

from datetime import date, datetime, timedelta

from portal.billing import waiting_count
from portal.database import current
from portal.notices import warnings
from portal.notices.kinds import KINDS, Due
from portal.notices.passing import make
from portal.people.access.sessions import reader_of
from portal.people.readers import AgentReader
from portal.people.working.hours import WorkingHours
from portal.timekeeping.calendar.weeks import monday_of
from portal.timekeeping.policy.switches import TimeRules

MORNING = 8
"""The hour of the day from which reminders are made."""
WEEK = 7


async def remind(at: datetime) -> None:
    """Make the reminders and warnings that are due at `at`, in the caller's transaction.

    The caller's transaction must run as `SYSTEM`. Call this at least once an hour. Nobody is reminded of time on a day
    off, during an absence, or while time tracking is switched off.
    """
    await make(await warnings.of_days(at), at)
    if not (await TimeRules.find()).tracks_time:
        return
    due = []
    for row in await current().fetch(_AGENTS):
        agent, local = reader_of(row), at.astimezone(reader_of(row).zone)
        if isinstance(agent, AgentReader) and local.hour >= MORNING:
            due += await _due(agent, local.date(), at)
    await make(due, at)


_AGENTS = (
    "select p.* from credential c cross join lateral person_of(c.id) p where c.agent_id is not null and not p.disabled"
)


async def _due(agent: AgentReader, today: date, at: datetime) -> list[Due]:
    """Return the reminders that one agent has to get on the day `today` and does not have yet."""
    monday = monday_of(today)
    last = monday - timedelta(days=WEEK)
    told = await current().fetch(_TOLD, agent.credential_id, _number(today), _number(last))
    wanted = {"time.missing", *(["time.waiting"] if agent.is_manager else [])} - {row["kind"] for row in told}
    found = []
    if not wanted or not (await WorkingHours.targets(agent.id, today, 1))[today]:
        return []
    if "time.waiting" in wanted and (count := await waiting_count(agent, at)):
        found.append(_reminder("time.waiting", agent, today, count, at))
    if "time.missing" in wanted and (missing := await _missing(agent, last)) is not None:
        found.append(_reminder("time.missing", agent, last, missing, at))
    return found


_TOLD = "select kind from notice where credential_id = $1 and (kind, record_id) in (('time.waiting', $2), ('time.missing', $3))"


async def _missing(agent: AgentReader, monday: date) -> int | None:
    """Return how many minutes of the target the agent has not logged in the week that begins on `monday`.

    Return 0 if the target is reached, but entries are still to be submitted (drafts or rejected entries). Return None
    if nothing is missing, or if the agent has never logged time.
    """
    target = sum((await WorkingHours.targets(agent.id, monday)).values())
    row = await current().fetchrow(_LOGGED, agent.id, monday, monday + timedelta(days=WEEK))
    if not row["logs_time"]:
        return None
    missing = max(0, target - row["minutes"])
    return missing if missing or row["has_open"] else None


_LOGGED = """
select exists (select from time_entry where agent_id = $1) as logs_time, coalesce(sum(e.actual_minutes), 0)::int as minutes,
  coalesce(bool_or(e.state in ('draft', 'rejected')), false) as has_open
from time_entry e where e.agent_id = $1 and e.work_date >= $2 and e.work_date < $3
"""


def _reminder(kind: str, agent: AgentReader, day: date, amount: int, at: datetime) -> Due:
    return Due(KINDS[kind], agent.credential_id, _number(day), _number(day), at, amount)


def _number(day: date) -> int:
    """Return a day as a number, such as 20261120. Reminders have it as their `record_id`."""
    return int(f"{day:%Y%m%d}")
