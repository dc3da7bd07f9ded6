"""Store when the company works: its windows on weekdays, the country of its public holidays, and its own days."""

import re
from datetime import date
from itertools import pairwise
from typing import Any

from msgspec import Struct
from piccolo.columns import Boolean, Char, Date, SmallInt, Text
from piccolo.table import Table

from portal.database import current
from portal.database.rows import insert_all
from portal.desk.deadlines.business_hours import A_DAY, Calendar, Hours
from portal.desk.deadlines.holidays import offered_countries, regions_of
from portal.fields import Checked, day, line, one_line, one_of, optional
from portal.regions import time_zone

HOURS = """
(select jsonb_strip_nulls(jsonb_build_object('zone', coalesce(b.time_zone, y.time_zone, 'UTC'), 'country', b.country, 'region', b.region,
   'windows', case when b.id is not null then coalesce(
     (select jsonb_agg(jsonb_build_array(w.weekday, w.opens, w.closes) order by w.weekday, w.opens) from business_window w), '[]') end,
   'days', coalesce((select jsonb_object_agg(d.day, d.is_open) from business_day d), '{}')))
 from (select) as one left join company y on true left join business_calendar b on true)
"""
"""SQL expression for the business hours as JSON. `Calendar.read` reads its text."""
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WINDOW = re.compile(
    r"([0-9]{1,2})(?:[:.h]([0-9]{2}))?\s*(?:[-–—]|to)\s*([0-9]{1,2})(?:[:.h]([0-9]{2}))?", re.IGNORECASE
)
_UNREADABLE = "Write from when to when, such as 9-17, or 9-12, 13-17:30."
MOST_WINDOWS = 6
LOCK = "select pg_advisory_xact_lock{}(hashtextextended('business hours and targets', 0))"


class BusinessCalendar(Table, tablename="business_calendar"):
    """The time zone of the business hours, and the country and region of the public holidays. There is one row."""

    id = SmallInt(primary_key=True, default=1)
    time_zone = Text(default=None)
    country = Char(length=2, null=True, default=None)
    region = Text(null=True, default=None)


class BusinessWindow(Table, tablename="business_window"):
    """A window in which the company works on a weekday (1 is Monday), in minutes after midnight."""

    weekday = SmallInt(primary_key=True, default=None)
    opens = SmallInt(default=None)
    closes = SmallInt(default=None)


class BusinessDay(Table, tablename="business_day"):
    """A day on which the company is closed or open regardless of the weekday and of public holidays."""

    day = Date(primary_key=True, default=None)
    name = Text(default=None)
    is_open = Boolean(default=None)


class HoursFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of the business hours as typed.

    The fields of the weekdays contain windows such as `9-12, 13-17`, or "" for a day off.
    """

    hours_monday: str = ""
    hours_tuesday: str = ""
    hours_wednesday: str = ""
    hours_thursday: str = ""
    hours_friday: str = ""
    hours_saturday: str = ""
    hours_sunday: str = ""
    time_zone: str = ""
    country: str = ""
    region: str = ""


class DayFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of one of the company's own days as typed. `kind` is `closed` or `open`."""

    day: str = ""
    name: str = ""
    kind: str = "closed"


async def business_hours() -> Hours:
    """Return the business hours of the company."""
    return Calendar.read(await current().fetchval(f"select {HOURS}::text")).hours


async def own_days(since: date) -> list[Any]:
    """Return the company's own days from `since` on, as rows with `day`, `name` and `is_open`."""
    return await current().fetch("select day, name, is_open from business_day where day >= $1 order by day", since)


def facts_of(hours: Hours) -> HoursFacts:
    """Return these business hours as form fields."""
    windows = {f"hours_{name}": ", ".join(_typed(hours, weekday)) for weekday, name in enumerate(WEEKDAYS, 1)}
    return HoursFacts(**windows, time_zone=hours.zone, country=hours.country, region=hours.region)


def _typed(hours: Hours, weekday: int) -> list[str]:
    found = sorted((begin, end) for day, begin, end in hours.windows if day == weekday)
    return [f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}" for begin, end in found]


async def hold() -> None:
    """Wait until no other transaction computes deadlines, and block such transactions until this transaction ends.

    The caller then changes business hours or targets, and no deadline that was computed with the old values is stored
    after the change. The job that `recounting.begin` enqueues recomputes the deadlines that were stored before.
    """
    await current().execute(LOCK.format(""))


async def save_hours(facts: HoursFacts) -> None:
    """Replace the business hours.

    Raise `Invalid` if a field is not valid, or if no weekday has a window. The caller must have called
    `recounting.begin` in the same transaction, so that the deadlines are computed again.
    """
    checked, windows = Checked(), list[tuple[int, int, int]]()
    for weekday, name in enumerate(WEEKDAYS, 1):
        field = f"hours_{name}"
        read = checked(field, _windows, getattr(facts, field)) or []
        windows += [(weekday, begin, end) for begin, end in read]
    zone = checked("time_zone", time_zone, facts.time_zone)
    country = checked("country", optional(one_of(tuple(offered_countries()))), facts.country)
    region = checked("region", lambda text: _region(text, country), facts.region)
    if not windows:
        checked.refuse("hours_monday", "Without business hours there is no deadline: fill in at least one day.")
    checked.done()
    await BusinessCalendar.insert(BusinessCalendar(time_zone=zone, country=country, region=region)).on_conflict(
        target=BusinessCalendar.id,
        action="DO UPDATE",
        values=BusinessCalendar.all_columns(exclude=[BusinessCalendar.id]),
    )
    await current().execute("delete from business_window")
    await insert_all(
        BusinessWindow, [dict(zip(("weekday", "opens", "closes"), window, strict=True)) for window in windows]
    )


async def add_day(facts: DayFacts, *, since: date) -> None:
    """Add a day on which the company is closed or open as an exception, or replace the exception with the same date.

    Raise `Invalid` if a field is not valid, or if the day is before `since`. The caller must have called
    `recounting.begin` in the same transaction, so that the deadlines are computed again.
    """
    checked = Checked()
    on, name = checked("day", day, facts.day), checked("name", line, facts.name)
    is_open = checked("kind", one_of(("closed", "open")), facts.kind) == "open"
    if on and on < since:
        checked.refuse("day", "This day is too long ago: use one of the last twelve months, or a later one.")
    checked.done()
    await remove_day(on)
    await insert_all(BusinessDay, [{"day": on, "name": name, "is_open": is_open}])


async def remove_day(on: date) -> None:
    """Delete the company's own day on the date `on`. Do nothing if there is none."""
    await current().execute("delete from business_day where day = $1", on)


def _windows(text: str) -> list[tuple[int, int]]:
    """Return the windows that were typed for a day, sorted: begin and end in minutes after midnight.

    Raise `ValueError` with a message if there are too many windows, if a window cannot be read, or if windows overlap.
    """
    parts = [part for part in re.split(r"\s*(?:,|;|\band\b)\s*", one_line(text)) if part]
    if len(parts) > MOST_WINDOWS:
        raise ValueError(f"Use at most {MOST_WINDOWS} windows a day.")
    windows = sorted(_window(part) for part in parts)
    if any(after[0] < before[1] for before, after in pairwise(windows)):
        raise ValueError("These hours overlap.")
    return windows


def _window(text: str) -> tuple[int, int]:
    match = _WINDOW.fullmatch(text)
    if not match:
        raise ValueError(_UNREADABLE)
    begin, end = (int(hour) * 60 + int(minute or 0) for hour, minute in (match.group(1, 2), match.group(3, 4)))
    if int(match[2] or 0) > 59 or int(match[4] or 0) > 59 or end > A_DAY:
        raise ValueError(_UNREADABLE)
    if begin >= end:
        raise ValueError("The end comes after the beginning: write a night as 22-24 and 0-6 of the next day.")
    return begin, end


def _region(text: str, country: str | None) -> str | None:
    """Return the code of the region that was typed, in the spelling of `regions_of`; None for "", the whole country.

    Raise `ValueError` with a message if the country has no such region.
    """
    if not (typed := one_line(text)):
        return None
    known = {region.lower(): region for region in regions_of(country or "")}
    if not known:
        raise ValueError(
            "Leave this empty: no regions are known for this country." if country else "Choose the country first."
        )
    if typed.lower() not in known:
        raise ValueError(f"Write one of these, or nothing: {', '.join(known.values())}.")
    return known[typed.lower()]
