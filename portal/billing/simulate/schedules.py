"""Read the schedules of an input document. A schedule gives a factor or a price to time worked at certain hours."""

from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, available_timezones

from portal.billing.simulate.fields import Fields, clock_time, day, rate, references, take, text
from portal.schedules import HOLIDAY, Schedule, Window

SCHEDULE = ("name", "zone", "holidays", "windows")
WINDOW = ("days", "from", "to", "factor", "hourly_rate")
DAYS = {name: number for number, name in enumerate("mon tue wed thu fri sat sun".split())} | {"holiday": HOLIDAY}
_DAY = timedelta(days=1)


def read_schedules(top: Fields) -> dict[str, Schedule]:
    """Return the schedules of the document `top` by name. The errors are added to `top.errors`."""
    found: dict[str, Schedule] = {}
    for place, value in top.items("schedules", required=False):
        fields = Fields.of(top.errors, place, value, SCHEDULE)
        name = fields.take("name", text)
        zone = fields.take("zone", _zone)
        holidays = frozenset(
            take(fields.errors, at, content, day) for at, content in fields.items("holidays", required=False)
        )
        schedule = Schedule(name, zone, _windows(fields), holidays, _has_rates(fields))
        if fields.unique("name", name, found):
            found[name] = schedule
    return found


def _zone(value: object) -> ZoneInfo:
    if text(value) not in available_timezones():
        raise ValueError("not a time zone")
    return ZoneInfo(text(value))


def _has_rates(schedule: Fields) -> bool:
    """Return whether the windows of a schedule have hourly rates instead of factors.

    If some windows have hourly rates and others factors, record an error.
    """
    kinds = []
    for place, value in schedule.items("windows", required=False):
        kinds.append(isinstance(value, dict) and value.get("hourly_rate") is not None)
        if kinds[-1] != kinds[0]:
            schedule.errors.add(place, "the windows of a schedule have either factors or hourly rates")
            break
    return bool(kinds) and kinds[0]


def _windows(schedule: Fields) -> tuple[Window, ...]:
    found = []
    for place, value in schedule.items("windows"):
        fields = Fields.of(schedule.errors, place, value, WINDOW)
        days = frozenset(DAYS[name] for _, name in references(fields, "days", DAYS))
        if fields.is_empty_list("days"):
            fields.wrong("days", "a window needs a day")
        begins = fields.get("from", clock_time, timedelta(0))
        ends = fields.get("to", clock_time, _DAY)
        if fields.has("factor") == fields.has("hourly_rate"):
            schedule.errors.add(place, "not exactly one of factor and hourly_rate")
        number = fields.get("factor", rate, fields.get("hourly_rate", rate, Decimal(1)))
        if begins is not None and ends is not None:
            if begins == _DAY:
                fields.wrong("from", "not a time from 00:00 to 23:59")
            found.append(Window(days, begins, ends if ends > begins else ends + _DAY, number))
    return tuple(found)
