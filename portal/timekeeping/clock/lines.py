"""Read an agent's timers: what they are for, how long they have run, and from when they count as forgotten (D54)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

from portal.database import current
from portal.errors import NotFound
from portal.people.agents import Agent
from portal.people.readers import AgentReader
from portal.people.working.hours import HOURS, UNSET, Hours
from portal.timekeeping.logged_on import address_of

BEYOND = timedelta(hours=2)
"""A timer that has run without a pause for this much longer than its agent's working day counts as forgotten."""
OVERNIGHT = timedelta(hours=4)
"""A timer that has run without a pause for this long and past midnight counts as forgotten."""
DISCARDED_SHOWN = timedelta(days=1)
ONE_DAY = timedelta(hours=24)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TimerLine:
    """One timer as pages show it.

    `on` is the id of the case, project, service or kind to which the timer is attached (see `timekeeping.logged_on`),
    and `place` is its name. Both are "" for a timer that is not attached. `counted` is the total length of the finished
    stretches. `since` is the beginning of the running stretch, or None if the timer is paused. `stopped_at` is the end
    of the latest finished stretch. `ended_at` is when the timer was logged or discarded, or None. `hours` are the
    working hours of the timer's agent.
    """

    id: int
    note: str
    version: int
    on: str
    place: str
    customer: str | None
    counted: timedelta
    began_at: datetime
    since: datetime | None
    stopped_at: datetime | None
    ended_at: datetime | None
    hours: Hours = UNSET

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """Return the timer for a row of the query `_LINES`."""
        return cls(**dict(row) | {"hours": Hours.read(row["hours"])})

    @property
    def name(self) -> str:
        """Return the name of the thing to which the timer is attached, else the note, else `No case yet`."""
        return self.place or self.note or "No case yet"

    @property
    def address(self) -> str:
        """Return the URL path of the thing to which the timer is attached, or of the timer if it is not attached."""
        return address_of(self.on) if self.on else f"/agent/timer/{self.id}"

    def elapsed(self, at: datetime) -> timedelta:
        """Return how long the timer has run until `at`, without its pauses."""
        return self.counted + (max(at - self.since, timedelta(0)) if self.since else timedelta(0))

    def shown(self, at: datetime) -> str:
        """Return how long the timer has run until `at` as hours, minutes and whole seconds, such as 0:12:44."""
        seconds = self.elapsed(at) // timedelta(seconds=1)
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"

    def minutes(self, at: datetime) -> int:
        """Return the minutes to log for the timer at `at`: rounded to the nearest minute, and at least 1."""
        return max(1, (self.elapsed(at) + timedelta(seconds=30)) // timedelta(minutes=1))

    def asks_at(self, zone: ZoneInfo) -> datetime | None:
        """Return the instant from which a running timer counts as forgotten; None while it is paused.

        At that instant, the running stretch is `BEYOND` longer than the agent's working day, or has passed midnight and
        lasted for `OVERNIGHT`, whichever comes first.
        """
        if self.since is None:
            return None
        day = self.since.astimezone(zone).date()
        midnight = datetime.combine(day + timedelta(days=1), time(), zone)
        long = timedelta(minutes=self.hours.workday(day)) + BEYOND
        return min(self.since + long, max(self.since + OVERNIGHT, midnight.astimezone(UTC)))

    def is_forgotten(self, at: datetime, zone: ZoneInfo) -> bool:
        """Return whether the timer runs and has probably been forgotten by its agent: `at` is `asks_at` or later."""
        asks_at = self.asks_at(zone)
        return asks_at is not None and at >= asks_at

    def ticks(self, at: datetime, zone: ZoneInfo) -> dict[str, int]:
        """Return the values from which `js/timer.js` counts, in whole milliseconds.

        `now`, `since` and `asks` are instants since 1970: the present, the beginning of the running stretch, and the
        instant from which the timer counts as forgotten. `counted` is the length of the earlier stretches. A paused
        timer has no `since` and no `asks`.
        """
        instants = {"now": at, "since": self.since, "asks": self.asks_at(zone)}
        lengths = {name: instant - _EPOCH for name, instant in instants.items() if instant} | {"counted": self.counted}
        return {name: length // timedelta(milliseconds=1) for name, length in lengths.items()}

    def work_date(self, zone: ZoneInfo) -> date:
        """Return the day in `zone` on which the timer was first started."""
        return self.began_at.astimezone(zone).date()

    def clock_times(self, at: datetime, zone: ZoneInfo) -> tuple[str, str]:
        """Return the clock times at which the timer was first started and last paused, such as 09:00 and 10:45.

        While the timer runs, the second clock time is the one at the instant `at`. Return "" for both if the two clock
        times are equal, or if the instants are a day or more apart.
        """
        ended = at if self.since else self.stopped_at or at
        began, end = (f"{instant.astimezone(zone):%H:%M}" for instant in (self.began_at, ended))
        return (began, end) if began != end and ended - self.began_at < ONE_DAY else ("", "")


_LINES = f"""
select t.id, t.note, t.version, u.name as customer, t.ended_at,
  coalesce('case-' || c.number, 'project-' || t.project_id, 'service-' || t.service_id, 'general-' || t.general_kind_id, '') as on,
  coalesce('#' || c.number || ' ' || c.subject, p.name, s.name, g.name, '') as place,
  {HOURS} as hours,
  coalesce(x.counted, interval '0') as counted, coalesce(x.began_at, t.created_at) as began_at, x.since, x.stopped_at
from timer t
left join cases c on c.id = t.case_id left join project p on p.id = t.project_id left join service s on s.id = t.service_id
left join general_kind g on g.id = t.general_kind_id left join customer u on u.id = t.customer_id
left join lateral (select sum(ended_at - began_at) as counted, min(began_at) as began_at, max(ended_at) as stopped_at,
  max(began_at) filter (where ended_at is null) as since from timer_segment where timer_id = t.id) as x on true
where t.agent_id = $1 and
"""  # noqa: S608


async def timers_of(agent: AgentReader | Agent) -> list[TimerLine]:
    """Return the agent's timers that are neither logged nor discarded.

    The running timer comes first, then the paused timers, the latest paused first.
    """
    rows = await current().fetch(
        f"{_LINES} t.ended_at is null order by x.since is null, x.stopped_at desc, t.id desc", agent.id
    )
    return [TimerLine.of_row(row) for row in rows]


async def discarded_of(reader: AgentReader, at: datetime) -> list[TimerLine]:
    """Return the reader's timers that were discarded within the last 24 hours, the latest first."""
    rows = await current().fetch(
        f"{_LINES} t.ended_at > $2 and t.entry_id is null order by t.ended_at desc, t.id desc",
        reader.id, at - DISCARDED_SHOWN,
    )  # fmt: skip
    return [TimerLine.of_row(row) for row in rows]


async def find_line(timer_id: int, reader: AgentReader) -> TimerLine:
    """Return the reader's own timer `timer_id`, ended or not. Raise `NotFound` if the reader has no such timer."""
    row = await current().fetchrow(f"{_LINES} t.id = $2", reader.id, timer_id)
    if row is None:
        raise NotFound
    return TimerLine.of_row(row)
