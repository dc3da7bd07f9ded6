"""Read typed durations, round them by the rule of a service, and write them for people."""

import re
from dataclasses import dataclass
from enum import StrEnum

LONGEST = 24 * 60
"""Minutes of the longest entry: one day."""

TOO_LONG = "One entry holds at most 24 h: split it by day."

_UNITS = re.compile(
    r"(?:(?P<hours>[0-9]+(?:[.,][0-9]+)?)\s*(?:hours?|hrs?|h)\s*)?(?:(?P<minutes>[0-9]+(?:[.,][0-9]+)?)\s*(?P<unit>minutes?|mins?|m)?)?",
    re.ASCII | re.IGNORECASE,
)
_CLOCK = re.compile(r"([0-9]+):([0-9]{2})")
_BARE = re.compile(r"[0-9]+(?:[.,][0-9]+)?")
_TYPED = 40
_LAST_MINUTE = 59
_UNREADABLE = "Write the time as 1h 30m, 90m or 1:30."


def parse_duration(text: str, *, most: int = LONGEST, too_long: str = TOO_LONG) -> int:
    """Return whole minutes, 1 to `most`, of `1h 30m`, `1h30`, `1h`, `90m`, `1:30`, `1.5h`, `1,5h`, `1 h 30 min`.

    Raises ValueError with one sentence for the person who typed it. A number without a unit is refused, because it can
    mean minutes or hours. A fraction that is no whole minute is refused too: nothing is rounded.
    """
    typed = " ".join(text.replace("\u00a0", " ").replace("\u202f", " ").split())
    if not typed:
        raise ValueError("Say how long it took, such as 1h 30m.")
    if len(typed) > _TYPED:
        raise ValueError(_UNREADABLE)
    if re.fullmatch(r"[-\u2212][0-9].*", typed, re.ASCII):
        raise ValueError("Time cannot be negative.")
    if _BARE.fullmatch(typed):
        return _bare(typed)
    minutes = _clock(typed) if ":" in typed else _units(typed)
    if minutes < 1:
        raise ValueError("Time is at least one minute.")
    if minutes > most:
        raise ValueError(too_long)
    return minutes


def _bare(typed: str) -> int:
    """Refuse a bare number and name both readings; zero is the same in either."""
    if not typed.strip("0.,"):
        raise ValueError("Time is at least one minute.")
    if typed.isdigit():
        raise ValueError(f"{typed} can mean minutes or hours: write {typed}m or {typed}h.")
    raise ValueError(f"{typed} has no unit: write {typed}h if hours are meant.")


def _clock(typed: str) -> int:
    match = _CLOCK.fullmatch(typed)
    if match is None:
        raise ValueError(_UNREADABLE)
    return _sum(int(match[1]), int(match[2]))


def _units(typed: str) -> int:
    match = _UNITS.fullmatch(typed)
    if match is None:
        raise ValueError(_UNREADABLE)
    hours, minutes, unit = match["hours"], match["minutes"], match["unit"]
    if minutes and not minutes.isdigit():
        raise ValueError("Minutes are whole: write 90m or 1h 30m.")
    if hours is None:
        return int(minutes)
    if hours.isdigit():
        return _sum(int(hours), int(minutes)) if minutes else int(hours) * 60
    if minutes or unit:
        raise ValueError("Use whole hours beside minutes: write 1h 30m or 1.5h.")
    return _exact(hours)


def _sum(hours: int, minutes: int) -> int:
    if minutes > _LAST_MINUTE:
        whole = hours * 60 + minutes
        raise ValueError(f"Minutes beside hours go up to 59: write {whole // 60}h {whole % 60}m or {whole}m.")
    return hours * 60 + minutes


def _exact(hours: str) -> int:
    """Return the minutes of `1.5` hours, computed by integers; refuse a fraction of a minute."""
    whole, fraction = hours.replace(",", ".").split(".")
    scale = int("1" + "0" * len(fraction))
    sixtieths = int(whole + fraction) * 60
    if sixtieths % scale:
        nearest = (2 * sixtieths + scale) // (2 * scale)
        raise ValueError(f"{hours}h is no whole number of minutes: write {nearest}m.")
    return sixtieths // scale


class RoundingMode(StrEnum):
    """Name which multiple of the increment is taken."""

    UP = "up"
    DOWN = "down"
    NEAREST = "nearest"


@dataclass(frozen=True, slots=True)
class Rounding:
    """Turn worked minutes into billable ones by the rule of a service; the default changes nothing."""

    minimum: int = 0
    increment: int = 1
    mode: RoundingMode = RoundingMode.UP

    def apply(self, minutes: int) -> int:
        """Apply the minimum, then the increment, never below the minimum (D4); keep an exact multiple (D2)."""
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
    """Return `1 h 30 min`, `45 min` or `7 h` for sentences, with no-break spaces and a true minus."""
    hours, rest = divmod(abs(minutes), 60)
    parts = ([f"{hours}\u00a0h"] if hours else []) + ([f"{rest}\u00a0min"] if rest or not hours else [])
    return "\u2212" * (minutes < 0) + "\u00a0".join(parts)


def clock(minutes: int) -> str:
    """Return `1:30` for columns headed h:min, with a true minus."""
    return "\u2212" * (minutes < 0) + f"{abs(minutes) // 60}:{abs(minutes) % 60:02d}"
