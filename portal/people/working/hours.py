"""Working hours: how many minutes an agent works on each weekday, and the target hours that follow for a week."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from msgspec import Struct
from piccolo.columns import BigInt, Integer, SmallInt
from piccolo.table import Table

from portal.database import current
from portal.durations import LONGEST, WORKDAY, parse_duration, spoken
from portal.fields import Checked
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


@dataclass(frozen=True, slots=True)
class Week:
    """The minutes that an agent works on each weekday, Monday first."""

    minutes: tuple[int, ...]

    @classmethod
    def of_minutes(cls, minutes: Sequence[int] | None) -> "Week":
        """Return the week of an agent's rows, or `USUAL` if the agent has none."""
        return cls(tuple(minutes)) if minutes and len(minutes) == len(WEEKDAYS) else USUAL

    @property
    def total(self) -> int:
        """Return the minutes of a whole week."""
        return sum(self.minutes)

    def on(self, day: date) -> int:
        """Return the minutes of the weekday of `day`; 0 if the agent does not work on that weekday."""
        return self.minutes[day.weekday()]

    def workday(self, day: date) -> int:
        """Return the minutes that a typed `1d` means on `day`.

        This is the length of that weekday. On a weekday without work it is the length of the agent's longest working day,
        and for an agent who works on no weekday it is `WORKDAY`.
        """
        return self.on(day) or max(self.minutes) or WORKDAY

    @property
    def facts(self) -> WeekFacts:
        """Return the stored minutes as form fields, to fill in the form for working hours."""
        return WeekFacts(
            **{
                name: spoken(minutes).replace("\u00a0", " ") if minutes else ""
                for name, minutes in zip(WEEKDAYS, self.minutes, strict=True)
            }
        )


USUAL = Week((WORKDAY,) * 5 + (0, 0))
"""The working hours of an agent for whom none are set: 8 h from Monday to Friday."""


class WorkingHours(Table, tablename="working_hours"):
    """The minutes that one agent works on one weekday; `weekday` 1 is Monday and 7 is Sunday (ISO 8601).

    An agent has seven rows or none. Agents without rows work the hours of `USUAL`.
    """

    agent_id = BigInt(primary_key=True, default=None)
    weekday = SmallInt(default=None)
    minutes = Integer(default=None)

    @classmethod
    async def of(cls, agent_id: int) -> Week:
        """Return the working hours of the agent."""
        return (await cls.of_all([agent_id]))[agent_id]

    @classmethod
    async def of_all(cls, agent_ids: Iterable[int]) -> dict[int, Week]:
        """Return the working hours of several agents by agent id, read by one query; `USUAL` for agents without any."""
        ids = list(agent_ids)
        rows = await current().fetch(
            "select agent_id, array_agg(minutes order by weekday) as minutes from working_hours"
            " where agent_id = any($1) group by agent_id having count(*) = 7",
            ids,
        )
        found = {row["agent_id"]: Week(tuple(row["minutes"])) for row in rows}
        return {agent_id: found.get(agent_id, USUAL) for agent_id in ids}

    @classmethod
    async def targets(cls, agent_id: int, first: date, days: int = 7) -> dict[date, int]:
        """Return the minutes that the agent has to work on each of the `days` days from `first` on, read by one query.

        On a day on which the agent is absent, that is 0.
        """
        row = await current().fetchrow(_TARGETS, agent_id, first, first + timedelta(days=days))
        week = Week.of_minutes(row["minutes"])
        off = set(row["off"])
        listed = [first + timedelta(days=number) for number in range(days)]
        return {day: 0 if day in off else week.on(day) for day in listed}

    @classmethod
    async def arrange(cls, agent_id: int, facts: WeekFacts) -> None:
        """Replace the working hours of an agent on all seven weekdays. Raise `Invalid` for a duration that cannot be read."""
        minutes = _read(facts)
        await current().execute(
            "insert into working_hours (agent_id, weekday, minutes) select $1, o.weekday, o.minutes"
            " from unnest($2::int[]) with ordinality as o (minutes, weekday)"
            " on conflict (agent_id, weekday) do update set minutes = excluded.minutes",
            agent_id, minutes,
        )  # fmt: skip


async def workday_of(agent_id: int, duration: str, work_date: str) -> int:
    """Return how many minutes `1d` means in a duration that the agent typed for the day `work_date`.

    `duration` and `work_date` are form fields as typed. The working hours are read only if `duration` contains a `d`,
    as in `0.25d`; otherwise, or if the date cannot be read, the result is `WORKDAY`.
    """
    if "d" not in duration.lower() or (day := day_in(work_date)) is None:
        return WORKDAY
    return (await WorkingHours.of(agent_id)).workday(day)


_TARGETS = """
select (select array_agg(minutes order by weekday) from working_hours where agent_id = $1) as minutes,
  (select coalesce(array_agg(d::date), '{}') from absence b, generate_series(greatest(b.first_day, $2::date), least(b.last_day, $3::date), '1 day') d
   where b.agent_id = $1 and b.first_day < $3 and b.last_day >= $2) as off
"""


def _read(facts: WeekFacts) -> list[int]:
    checked = Checked()
    minutes: list[Any] = [checked(name, _length, getattr(facts, name)) for name in WEEKDAYS]
    checked.done()
    return minutes


def _length(text: str) -> int:
    """Return the minutes of one working day; 0 for an empty field or a zero.

    Raise `ValueError` with a sentence if the text is not a duration, or if it is longer than 24 h.
    """
    if not text.strip() or text.strip() in ("0", "0h", "0m", "0:00"):
        return 0
    return parse_duration(text, most=LONGEST, too_long="A day has 24 h.")
