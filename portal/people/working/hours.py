"""Working hours: how many minutes an agent works on each weekday, and the resulting target for a day or a week."""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from msgspec import Struct
from piccolo.columns import BigInt, Date, Integer, SmallInt
from piccolo.table import Table

from portal.database import current
from portal.durations import LONGEST, WORKDAY, parse_duration, spoken
from portal.fields import Checked, day
from portal.periods import day_in

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""The fields of the form for working hours, in the order of ISO weekdays 1 to 7."""


class WeekFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of an agent's working hours: the duration of each weekday as typed, "" for a day without work."""

    monday: str = ""
    tuesday: str = ""
    wednesday: str = ""
    thursday: str = ""
    friday: str = ""
    saturday: str = ""
    sunday: str = ""


class HoursFacts(WeekFacts, forbid_unknown_fields=True, kw_only=True):
    """Form fields of an agent's working hours with the day from which they are valid, as typed."""

    effective_from: str = ""


@dataclass(frozen=True, slots=True)
class Week:
    """The minutes that an agent works on each weekday, Monday first."""

    minutes: tuple[int, ...]

    @property
    def total(self) -> int:
        """Return the minutes of a whole week."""
        return sum(self.minutes)

    def on(self, day: date) -> int:
        """Return the minutes of the weekday of `day`; 0 if the agent does not work on that weekday."""
        return self.minutes[day.weekday()]

    def workday(self, day: date) -> int:
        """Return the minutes that a typed `1d` means on `day`: the minutes that the agent works on that weekday.

        If the agent does not work on that weekday, return the minutes of the agent's longest working day. If the agent
        works on no weekday, return `WORKDAY`.
        """
        return self.on(day) or max(self.minutes) or WORKDAY

    @property
    def facts(self) -> WeekFacts:
        """Return the minutes of each weekday as a duration, for the fields of the form that edits working hours."""
        return WeekFacts(
            **{
                name: spoken(minutes).replace("\u00a0", " ") if minutes else ""
                for name, minutes in zip(WEEKDAYS, self.minutes, strict=True)
            }
        )


USUAL = Week((WORKDAY,) * 5 + (0, 0))
"""The working hours of an agent for whom none are set: 8 h from Monday to Friday."""


@dataclass(frozen=True, slots=True)
class Hours:
    """The working hours of an agent over time.

    `stretches` are pairs of a day and the week that is valid from that day on. They are sorted by day, the latest first.
    Before the earliest of these days, the agent works the hours of `USUAL`.
    """

    stretches: tuple[tuple[date, Week], ...] = ()

    @classmethod
    def read(cls, text: str) -> "Hours":
        """Parse the working hours from the JSON text that the SQL expression `HOURS` selects."""
        return cls(tuple((date.fromisoformat(since), Week(tuple(minutes))) for since, minutes in json.loads(text)))

    @property
    def latest(self) -> Week:
        """Return the working hours that begin last, even if they begin in the future."""
        return self.stretches[0][1] if self.stretches else USUAL

    def week(self, day: date) -> Week:
        """Return the working hours that are valid on `day`."""
        return next((week for since, week in self.stretches if since <= day), USUAL)

    def on(self, day: date) -> int:
        """Return the minutes that the agent works on `day` according to the working hours; absences are ignored."""
        return self.week(day).on(day)

    def workday(self, day: date) -> int:
        """Return the minutes that a typed `1d` means on `day`, as `Week.workday` does."""
        return self.week(day).workday(day)


UNSET = Hours()
"""The working hours of an agent for whom none are set."""

HOURS = """
(select coalesce(json_agg(json_build_array(h.effective_from, h.minutes) order by h.effective_from desc), '[]')::text from (
  select w.effective_from, array_agg(w.minutes order by w.weekday) as minutes from working_hours w where w.agent_id = $1
  group by w.effective_from having count(*) = 7) h)
"""
"""SQL expression for the working hours of the agent $1 as JSON, which `Hours.read` reads."""


class WorkingHours(Table, tablename="working_hours"):
    """The minutes that one agent works on one weekday; `weekday` 1 is Monday and 7 is Sunday (ISO 8601).

    The minutes are valid from `effective_from` until the agent's next working hours begin. For each `effective_from` an
    agent has seven rows, one for each weekday. Agents without rows work the hours of `USUAL`.
    """

    agent_id = BigInt(primary_key=True, default=None)
    effective_from = Date(default=None)
    weekday = SmallInt(default=None)
    minutes = Integer(default=None)

    @classmethod
    async def of(cls, agent_id: int) -> Hours:
        """Return the working hours of the agent."""
        return Hours.read(await current().fetchval(f"select {HOURS}", agent_id))

    @classmethod
    async def targets(cls, agent_id: int, first: date, days: int = 7) -> dict[date, int]:
        """Return by day the minutes that the agent has to work, for the `days` days from `first` on.

        The target of a day on which the agent is absent is 0.
        """
        row = await current().fetchrow(_TARGETS, agent_id, first, first + timedelta(days=days))
        hours, off = Hours.read(row["hours"]), set(row["off"])
        listed = [first + timedelta(days=number) for number in range(days)]
        return {day: 0 if day in off else hours.on(day) for day in listed}

    @classmethod
    async def arrange(cls, agent_id: int, facts: HoursFacts) -> None:
        """Set the working hours of an agent from the day `effective_from` on.

        Hours that begin on that day or later are replaced. Earlier hours stay, so that the targets of earlier weeks do
        not change. Raise `Invalid` for a duration or a day that cannot be read.
        """
        since, minutes = _read(facts)
        await current().execute(
            "delete from working_hours where agent_id = $1 and effective_from > $2", agent_id, since
        )
        await current().execute(
            "insert into working_hours (agent_id, effective_from, weekday, minutes) select $1, $2, o.weekday, o.minutes"
            " from unnest($3::int[]) with ordinality as o (minutes, weekday)"
            " on conflict (agent_id, effective_from, weekday) do update set minutes = excluded.minutes"
            " where working_hours.minutes <> excluded.minutes",
            agent_id, since, minutes,
        )  # fmt: skip


async def workday_of(agent_id: int, duration: str, work_date: str) -> int:
    """Return how many minutes `1d` means in a duration that the agent typed for the day `work_date`.

    `duration` and `work_date` are form fields as typed. Only a duration with a `d`, such as `0.25d`, needs the working
    hours. For any other duration, or if the date cannot be read, return `WORKDAY`.
    """
    if "d" not in duration.lower() or (on := day_in(work_date)) is None:
        return WORKDAY
    return (await WorkingHours.of(agent_id)).workday(on)


_TARGETS = f"""
select {HOURS} as hours,
  (select coalesce(array_agg(d::date), '{{}}') from absence b,
   generate_series(greatest(b.first_day, $2::date), least(b.last_day, $3::date), '1 day') d
   where b.agent_id = $1 and b.first_day < $3 and b.last_day >= $2) as off
"""  # noqa: S608


def _read(facts: HoursFacts) -> tuple[date, list[int]]:
    checked = Checked()
    minutes: list[Any] = [checked(name, _length, getattr(facts, name)) for name in WEEKDAYS]
    since = checked("effective_from", day, facts.effective_from)
    checked.done()
    return since, minutes


def _length(text: str) -> int:
    """Return the minutes of one working day; 0 for an empty field or a zero.

    Raise `ValueError` with an error message if the text is not a duration, or if it is longer than 24 h.
    """
    if not text.strip() or text.strip() in ("0", "0h", "0m", "0:00"):
        return 0
    return parse_duration(text, most=LONGEST, too_long="A day has 24 h.")
