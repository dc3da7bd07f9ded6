"""Read typed durations, round them by the rounding rule of a service, and format them for people.

All durations are whole minutes.
"""

import re
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from fractions import Fraction

LONGEST = 24 * 60
"""The maximum duration of one time entry, in minutes: one day."""
WORKDAY = 8 * 60
"""The minutes of a working day for an agent without working hours of their own."""

TOO_LONG = "One entry holds at most 24 h: split it by day."
EMPTY = "Write how long it took, such as 1h 30m."

_NUMBER = r"[0-9]+[.,][0-9]+|[0-9]*\s?[½¼¾]|[0-9]+"
_DAYS = rf"(?:(?P<days>{_NUMBER})\s*(?:days?|d)\s*)?"
_HOURS = rf"(?:(?P<hours>{_NUMBER})\s*(?:hours?|hrs?|h)\s*)?"
_MINUTES = rf"(?:(?P<minutes>{_NUMBER})\s*(?:minutes?|mins?|m))?"
_UNITS = re.compile(_DAYS + _HOURS + _MINUTES, re.IGNORECASE)
_HOURS_THEN_BARE = re.compile(r"([0-9]+)\s*(?:hours?|hrs?|h)\s*([0-9]+)", re.IGNORECASE)
_CLOCK = re.compile(r"([0-9]*):([0-9]{2})")
_RANGE = re.compile(
    r"([0-9]{1,2})(?:[:.h]([0-9]{2})|h)?\s*(?:[-–—]|to|until)\s*([0-9]{1,2})(?:[:.h]([0-9]{2})|h)?", re.IGNORECASE
)
_WHOLE = re.compile(r"[0-9]+")
_FRACTION = re.compile(_NUMBER)
_QUARTERS = {"½": Fraction(1, 2), "¼": Fraction(1, 4), "¾": Fraction(3, 4)}
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " "})
_TYPED = 60
_LAST_HOUR, _LAST_MINUTE = 23, 59
_LAST_DOUBTED = 12
"""A bare number up to this one is read as minutes but may have meant hours, so `Duration.instead` offers hours."""
_UNREADABLE = "Write the time as 1h 30m, 90m, 1:30 or 9-10:45."
_TOO_SHORT = "Time is at least one minute."


@dataclass(frozen=True, slots=True)
class Duration:
    """A typed duration and how it was understood.

    - `minutes`: the total.
    - `began` and `ended`: the clock times if two were typed (`9-10:45`), else None. If `ended` is earlier than `began`,
      it is on the next day. A change to or from daylight-saving time between the two is ignored.
    - `added`: the part of `minutes` that came after a plus sign.
    - `instead`: another meaning that a bare number may have had, such as `2h` for `2`, or "".
    """

    minutes: int
    began: time | None = None
    ended: time | None = None
    added: int = 0
    instead: str = ""


def read_duration(
    text: str, *, held: int = 0, workday: int = WORKDAY, most: int = LONGEST, too_long: str = TOO_LONG
) -> Duration:
    """Return what a typed duration means, 1 to `most` minutes. It may be spelled:

    - `1h 30m`, `1h30`, `90m`, `1.5h`, `1,5`, `½h`, `1:30`, `:30`. A whole number alone means minutes, a fraction hours.
    - `0.25d`: a part of a working day, which has `workday` minutes.
    - `9-10:45`: from one clock time to another.
    - `1h +15`: a sum. If nothing precedes the plus, `15` is added to `held`, the minutes that the form field had.

    Raise `ValueError` with a message for the person who typed it; `too_long` is the message for more than `most`. A
    fraction that is not a whole number of minutes is refused, because nothing is rounded here.
    """
    typed = " ".join(text.translate(_SPACES).split())
    if not typed:
        raise ValueError(EMPTY)
    if len(typed) > _TYPED:
        raise ValueError(_UNREADABLE)
    if re.match(r"[-\u2212]", typed):
        raise ValueError("Time cannot be negative.")
    first, *added = (part.strip() for part in typed.split("+"))
    read = _term(first, workday) if first else Duration(held)
    more = sum(_term(part, workday).minutes for part in added)
    minutes = read.minutes + more
    if minutes < 1:
        raise ValueError(_TOO_SHORT)
    if minutes > most:
        raise ValueError(too_long)
    return Duration(minutes, read.began, read.ended, more, "" if added else read.instead)


def parse_duration(text: str, *, most: int = LONGEST, too_long: str = TOO_LONG) -> int:
    """Return the minutes that a typed duration means. The parameters and the exception are those of `read_duration`."""
    return read_duration(text, most=most, too_long=too_long).minutes


def _term(typed: str, workday: int) -> Duration:
    """Return the duration that one part between plus signs means. Raise `ValueError` if it cannot be read."""
    if _WHOLE.fullmatch(typed) and typed.isascii():
        minutes = int(typed)
        return Duration(minutes, instead=f"{minutes}h" if 1 <= minutes <= _LAST_DOUBTED else "")
    if match := _HOURS_THEN_BARE.fullmatch(typed):
        return Duration(_sum(int(match[1]), int(match[2])))
    if match := _RANGE.fullmatch(typed):
        return _between(match)
    if match := _CLOCK.fullmatch(typed):
        return Duration(_sum(int(match[1] or 0), int(match[2])))
    if _FRACTION.fullmatch(typed):
        return Duration(_exact(typed, 60, f"{typed}h"))
    match = _UNITS.fullmatch(typed)
    if match is None or not match[0]:
        raise ValueError(_UNREADABLE)
    return Duration(_units(match["days"], match["hours"], match["minutes"], workday))


def _units(days: str | None, hours: str | None, minutes: str | None, workday: int) -> int:
    """Return the minutes of a duration with units, such as `1h 30m`.

    Raise `ValueError` if the number of minutes or one of several numbers is a fraction, if the total is not a whole
    number of minutes, or if more than 59 minutes follow the hours.
    """
    parts = [part for part in (days, hours, minutes) if part]
    if minutes and not minutes.isdecimal():
        raise ValueError("Minutes are whole: write 90m or 1h 30m.")
    if len(parts) > 1 and not all(part.isdecimal() for part in parts):
        raise ValueError("Use whole numbers beside each other: write 1h 30m or 1.5h.")
    if len(parts) == 1:
        unit, size = ("d", workday) if days else ("h", 60) if hours else ("m", 1)
        return _exact(parts[0], size, f"{parts[0]}{unit}")
    in_hours = _sum(int(hours), int(minutes)) if hours and minutes else int(hours or 0) * 60 + int(minutes or 0)
    return int(days or 0) * workday + in_hours


def _between(match: re.Match[str]) -> Duration:
    """Return the duration between two clock times; if the second is earlier, it is on the next day.

    Raise `ValueError` if a clock time does not exist or if both are the same.
    """
    hours, minutes = [int(match[1]), int(match[3])], [int(match[2] or 0), int(match[4] or 0)]
    if max(hours) > _LAST_HOUR or max(minutes) > _LAST_MINUTE:
        raise ValueError("Clock times go from 0:00 to 23:59: write 9-10:45.")
    began, ended = (time(hour, minute) for hour, minute in zip(hours, minutes, strict=True))
    if began == ended:
        raise ValueError("Both clock times are the same: write when it began and when it ended, as in 9-10:45.")
    length = (hours[1] - hours[0]) * 60 + minutes[1] - minutes[0]
    return Duration(length % LONGEST, began, ended)


def _sum(hours: int, minutes: int) -> int:
    if minutes > _LAST_MINUTE:
        whole = hours * 60 + minutes
        raise ValueError(f"Minutes beside hours go up to 59: write {whole // 60}h {whole % 60}m or {whole}m.")
    return hours * 60 + minutes


def _exact(number: str, size: int, written: str) -> int:
    """Return `number` times `size` as minutes. Raise `ValueError` if that is not a whole number of minutes.

    `number` may have decimals or be a fraction such as ½. `size` is the number of minutes of the unit. The error
    message quotes the number as `written`.
    """
    whole, sign = number[:-1].strip(), number[-1]
    quarters = _QUARTERS.get(sign)
    value = Fraction(number.replace(",", ".")) if quarters is None else int(whole or 0) + quarters
    minutes = value * size
    if minutes.denominator != 1:
        nearest = int(minutes + Fraction(1, 2))
        raise ValueError(f"{written} is not a whole number of minutes: write {nearest}m.")
    return int(minutes)


class RoundingMode(StrEnum):
    """The direction in which minutes are rounded to a multiple of the increment."""

    UP = "up"
    DOWN = "down"
    NEAREST = "nearest"

    @property
    def phrase(self) -> str:
        """Return the words that follow "rounded": `up to`, `down to` or `to the nearest`."""
        return "to the nearest" if self is RoundingMode.NEAREST else f"{self.value} to"

    @property
    def word(self) -> str:
        """Return the label in forms: `Up`, `Down` or `To the nearest`."""
        return self.phrase.removesuffix(" to").capitalize()


@dataclass(frozen=True, slots=True)
class Rounding:
    """The rounding rule of a service, by which worked minutes become billable minutes. The default changes nothing.

    `minimum` and `increment` are minutes.
    """

    minimum: int = 0
    increment: int = 1
    mode: RoundingMode = RoundingMode.UP

    def apply(self, minutes: int) -> int:
        """Return the minutes rounded to a multiple of the increment, and at least the minimum (D4).

        An exact multiple of the increment stays as it is (D2).
        """
        counted = max(minutes, self.minimum)
        below = counted - counted % self.increment
        if below == counted:
            return counted
        match self.mode:
            case RoundingMode.UP:
                counted = below + self.increment
            case RoundingMode.DOWN:
                counted = below
            case RoundingMode.NEAREST:
                upwards = 2 * (counted - below) >= self.increment
                counted = below + self.increment if upwards else below
        return max(counted, self.minimum)


def spoken(minutes: int) -> str:
    """Return minutes as text for sentences: `1 h 30 min` or `7 h`, with no-break spaces. The minus sign is U+2212."""
    hours, rest = divmod(abs(minutes), 60)
    parts = ([f"{hours}\u00a0h"] if hours else []) + ([f"{rest}\u00a0min"] if rest or not hours else [])
    return "\u2212" * (minutes < 0) + "\u00a0".join(parts)


def clock(minutes: int) -> str:
    """Return minutes as `1:30`, for a table column with the heading h:min. The minus sign is U+2212."""
    return "\u2212" * (minutes < 0) + f"{abs(minutes) // 60}:{abs(minutes) % 60:02d}"
