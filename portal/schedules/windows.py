"""Read the windows of a service: lines that say at which hours time counts more or less, or has its own price (D27).

The stored text has one window a line, such as `Mon-Fri 18:00-22:00 x1.5` or `Sat, Sun at 150`. Forms, pages and the
audit log show this text.
"""

import re
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from portal.periods import day_in
from portal.schedules import HOLIDAY, Schedule, Window

MOST = 20
"""The maximum number of windows of a service."""
MOST_HOLIDAYS = 200
LARGEST = Decimal(10)
"""The largest factor."""

NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Holidays")
"""The names of the days of a window. The index of a name is the number of the day; the last is for holidays."""
_DAYS = {name[:3].lower(): number for number, name in enumerate(NAMES)}
_MIDNIGHT, _DAY = timedelta(0), timedelta(days=1)
_EXAMPLE = "Write a window as Mon-Fri 18:00-22:00 x1.5"
_LINE = re.compile(
    r"(?P<days>[A-Za-z,\s\-–]+?)\s*(?:(?P<begins>[0-9]{1,2}:[0-9]{2})\s*[-–]\s*(?P<ends>[0-9]{1,2}:[0-9]{2}))?"
    r"(?:\s*[x×*]\s*(?P<factor>[0-9]{1,2}(?:[.,][0-9]{1,2})?)|\s*(?:@|\bat\b)\s*(?P<price>[0-9]{1,8}(?:[.,][0-9]{1,4})?))"
)


def windows(text: str) -> str:
    """Validate the windows that were typed for a service, one a line, and return them in the form to be stored.

    Equal windows are stored once; without a window the result is "". Raise `ValueError` if a line is no valid window
    (the message quotes the first such line), if there are too many lines, or if some have factors and others prices.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MOST:
        raise ValueError(f"A service has at most {MOST} windows.")
    found = [_written(_read(line), has_price=_has_price(line)) for line in lines]
    if len({_has_price(line) for line in lines}) > 1:
        raise ValueError("Write either factors or prices: a service cannot have both.")
    return "\n".join(dict.fromkeys(found))


def holidays(text: str) -> str:
    """Validate the dates that were typed for holidays, and return them in the form to be stored: sorted, one a line.

    Raise `ValueError` if a text is no date (the message contains the first such text), or if there are too many.
    """
    found = set()
    for word in text.replace(",", " ").split():
        day = day_in(word)
        if day is None:
            raise ValueError(f"“{word[:30]}” is no date. Write each holiday as 2026-12-25.")
        found.add(day)
    if len(found) > MOST_HOLIDAYS:
        raise ValueError(f"A service has at most {MOST_HOLIDAYS} holidays.")
    return "\n".join(day.isoformat() for day in sorted(found))


def schedule_of(
    windows: str | None, holidays: str | None, time_zone: str, *, calendar: Iterable[date] = ()
) -> Schedule | None:
    """Return the schedule of a service from its stored texts, or None if it has no windows.

    The hours of the windows are local times in `time_zone`. `calendar` are further holidays, such as the company's.
    """
    if not windows:
        return None
    days = frozenset((*map(date.fromisoformat, (holidays or "").split()), *calendar))
    lines = windows.splitlines()
    return Schedule("", ZoneInfo(time_zone), tuple(map(_read, lines)), days, _has_price(lines[0]))


def _has_price(line: str) -> bool:
    match = _LINE.fullmatch(line)
    return match is not None and match["price"] is not None


def _read(line: str) -> Window:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"“{line[:40]}” cannot be read. {_EXAMPLE}, or Sat, Sun, Holidays at 150 for whole days.")
    days = frozenset(day for part in match["days"].split(",") for day in _days(part, line))
    begins, ends = (_clock(match[name], line) for name in ("begins", "ends"))
    if begins is None or ends is None:
        begins, ends = _MIDNIGHT, _DAY
    if begins >= _DAY:
        raise ValueError(f"“{line[:40]}”: a window begins from 0:00 to 23:59.")
    value = Decimal((match["factor"] or match["price"]).replace(",", "."))
    if match["factor"] and not 0 < value <= LARGEST:
        raise ValueError(f"“{line[:40]}”: a factor is more than 0 and at most {LARGEST}.")
    return Window(days, begins, ends if ends > begins else ends + _DAY, value)


def _days(part: str, line: str) -> Iterable[int]:
    """Yield the numbers of the days in `part`: one day (`Sat`), a range of days (`Mon-Fri`), or `Holidays`.

    A range may extend into the next week, as `Sat-Mon` does. Raise `ValueError` if `part` cannot be read; the message
    quotes `line`.
    """
    names = [name.strip()[:3].lower() for name in re.split("[-–]", part)]
    numbers = [_DAYS.get(name) for name in names]
    first, last = numbers[0], numbers[-1]
    if first is None or last is None or len(numbers) > 2 or (len(numbers) == 2 and HOLIDAY in numbers):
        raise ValueError(f"“{line[:40]}”: name days as Mon to Sun, or Holidays. {_EXAMPLE}.")
    yield from (
        ((first + step) % HOLIDAY for step in range((last - first) % HOLIDAY + 1)) if first < HOLIDAY else (first,)
    )


def _clock(text: str | None, line: str) -> timedelta | None:
    if text is None:
        return None
    hours, minutes = map(int, text.split(":"))
    if minutes > 59 or timedelta(hours=hours, minutes=minutes) > _DAY:
        raise ValueError(f"“{line[:40]}”: write a time of the day as 18:00.")
    return timedelta(hours=hours, minutes=minutes)


def _written(window: Window, *, has_price: bool) -> str:
    """Return the text of a window. Three or more consecutive days become a range; whole days have no hours."""
    runs: list[list[int]] = []
    for day in sorted(window.days):
        if runs and runs[-1][-1] == day - 1 and day < HOLIDAY:
            runs[-1].append(day)
        else:
            runs.append([day])
    days = ", ".join(
        f"{NAMES[run[0]]}-{NAMES[run[-1]]}" if len(run) > 2 else ", ".join(NAMES[day] for day in run) for run in runs
    )
    is_whole = (window.begins, window.ends) == (_MIDNIGHT, _DAY)
    ends = window.ends if window.ends <= _DAY else window.ends - _DAY
    hours = "" if is_whole else f" {_hours(window.begins)}-{_hours(ends)}"
    return f"{days}{hours} {'at ' if has_price else 'x'}{window.value.normalize():f}"


def _hours(since: timedelta) -> str:
    minutes = since // timedelta(minutes=1)
    return f"{minutes // 60:02}:{minutes % 60:02}"
