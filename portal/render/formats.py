"""Format values for the reader: in their locale and time zone, with no-break spaces between numbers and units.

Most functions return an en dash for None, so that a template need not check for it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, cached_property, lru_cache
from math import inf
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal

from portal import durations
from portal.money import digits_of, round_half_up

NBSP = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"
WEEK = 7
HOUR = 60
A_MINUTE = timedelta(minutes=1)
KILO = 1000


@dataclass(frozen=True)
class Reading:
    """What decides how values are formatted: the reader's locale and time zone, and the current instant.

    `now` is None if the current instant is not known. `company_zone` is the company's time zone, in which payments
    become due.
    """

    locale: Locale
    zone: ZoneInfo
    now: datetime | None
    company_zone: ZoneInfo

    def local(self, at: datetime) -> datetime:
        """Return the instant `at` in the reader's time zone."""
        return at.astimezone(self.zone)

    @cached_property
    def today(self) -> date | None:
        """Return today's date in the reader's time zone, or None if the current instant is not known."""
        return self.local(self.now).date() if self.now else None


NOBODY = Reading(Locale.parse("en_GB"), ZoneInfo("UTC"), None, ZoneInfo("UTC"))
_reading: ContextVar[Reading] = ContextVar("reading", default=NOBODY)


@contextmanager
def reading(reader: Any, company: Any, now: Any) -> Iterator[None]:
    """Format values for `reader` inside the `with` block.

    Without a reader, the locale is British English and the time zone is the company's, or UTC without a company. `now` is
    the current instant.
    """
    company_zone = getattr(company, "time_zone", None) or "UTC"
    zone = getattr(reader, "time_zone", None) or company_zone
    locale = getattr(reader, "locale", None) or "en_GB"
    token = _reading.set(Reading(_locale(str(locale)), ZoneInfo(str(zone)), now, ZoneInfo(str(company_zone))))
    try:
        yield
    finally:
        _reading.reset(token)


def zone_name() -> str:
    """Return the name of the time zone in which all times are shown."""
    return str(_reading.get().zone)


def number(value: Decimal | int | None, most: int = 4) -> str:
    """Return a number with as many decimals as it has, at most `most`: 12.25 or 1,000. None gives an en dash."""
    return NOTHING if value is None else _signed(format_decimal(value, "#,##0." + "#" * most, _reading.get().locale))


def own_value(value: str | Decimal | date | None) -> str:
    """Return the value of a custom field of a case: a text as it is, a number or a day in the reader's format."""
    if isinstance(value, Decimal):
        return number(value, 6)
    return value if isinstance(value, str) else day_long(value)


def percent(rate: Decimal | int | None) -> str:
    """Return a rate that is given in per cent: `Decimal("19")` gives 19 %. None gives an en dash."""
    return NOTHING if rate is None else f"{number(rate)}{NBSP}%"


def amount(value: Decimal | None, currency: str) -> str:
    """Return an amount without its currency but with the currency's decimals.

    Use it for a column whose heading names the currency. None gives an en dash.
    """
    digits = digits_of(currency)
    pattern = "#,##0." + "0" * digits if digits else "#,##0"
    return NOTHING if value is None else _signed(format_decimal(value, pattern, _reading.get().locale))


def money(value: Decimal | None, currency: str) -> str:
    """Return an amount with its currency, for a sentence, such as €1,250.00 or CHF 90.00. None gives an en dash."""
    if value is None:
        return NOTHING
    locale = _reading.get().locale
    written = _pattern(locale, digits_of(currency)).apply(value, locale, currency=currency, currency_digits=False)
    return _signed(re.sub(r"([A-Z])(\d)", rf"\1{NBSP}\2", written))


@cache
def _pattern(locale: Locale, digits: int) -> Any:
    """Return the pattern of an amount of money with this many decimals.

    Babel's own numbers of decimals are not used, because they follow daily life: none for the Serbian dinar.
    """
    pattern = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    return pattern


def price(value: Decimal | None, currency: str) -> str:
    """Return the price of an hour with its currency, such as €98.50. None gives an en dash.

    A price with more decimals than the currency keeps them and has the code of the currency: 98.1234 EUR.
    """
    if value is None or value == round_half_up(value, digits_of(currency)):
        return money(value, currency)
    return f"{number(value)}{NBSP}{currency}"


def clock(minutes: int | None) -> str:
    """Return minutes as h:min, for a column: 90 gives 1:30. None gives an en dash."""
    return NOTHING if minutes is None else durations.clock(minutes)


def spoken(minutes: int | None) -> str:
    """Return minutes as text for a sentence: 1 h 30 min, 45 min or 7 h. None gives an en dash."""
    return NOTHING if minutes is None else durations.spoken(minutes)


def day(on: date | datetime | None) -> str:
    """Return a day such as Thu 19 Nov; a day of another year has the year instead of the weekday.

    None gives an en dash.
    """
    if on is None:
        return NOTHING
    local, now = _date(on), _reading.get()
    if now.today is None or now.today.year != local.year:
        return day_long(local)
    if now.locale.language == "en":
        return _months(_written(local, "EEE d MMM", now.locale))
    return _built("MMMEd", local, now.locale)


def day_long(on: date | datetime | None) -> str:
    """Return a day with its year, for invoices and other legal texts: 4 Dec 2026. None gives an en dash."""
    if on is None:
        return NOTHING
    locale = _reading.get().locale
    if locale.language == "en":
        return _months(_written(_date(on), "d MMM y", locale))
    return _built("yMMMd", _date(on), locale)


def month(on: date | None) -> str:
    """Return a month with its year: November 2026. None gives an en dash."""
    return NOTHING if on is None else _built("yMMMM", on, _reading.get().locale)


def time_of_day(at: datetime | None) -> str:
    """Return the time of day of an instant in the reader's time zone, in 24 hours: 14:47. None gives an en dash."""
    return NOTHING if at is None else _hours(_reading.get().local(at))


def moment(at: datetime | None) -> str:
    """Return an instant as today 14:47, yesterday 16:40 or tomorrow 10:10, and on other days as Thu 19 Nov, 08:12."""
    if at is None:
        return NOTHING
    named = {0: "today", -1: "yesterday", 1: "tomorrow"}.get(_days_from_today(_date(at)))
    return f"{named}{NBSP}{time_of_day(at)}" if named else f"{day(at)}, {time_of_day(at)}"


def coming(at: datetime) -> str:
    """Return a future instant in few words: today 14:47, tomorrow 10:10, Thu 14:00 within a week, then Fri 11 Dec."""
    local = _reading.get().local(at)
    days = _days_from_today(local.date())
    if 1 < days < WEEK:
        return f"{_written(local.date(), 'EEE', _reading.get().locale)}{NBSP}{_hours(local)}"
    return day(at) if days >= WEEK else moment(at)


def since(at: datetime) -> str:
    """Return when something that still lasts began: 14:05 for today, Wed within the last week, 3 Nov before that."""
    now, on = _reading.get(), _date(at)
    days = -_days_from_today(on)
    if days <= 0:
        return time_of_day(at)
    if days < WEEK:
        return _written(on, "EEE", now.locale)
    return _months(_written(on, "d MMM", now.locale)) if now.today and on.year == now.today.year else day_long(on)


def ago(at: datetime | None) -> str:
    """Return how long ago an instant was: just now, 4 min, 3 h, yesterday, Tue 17 (within a week), then 3 Nov.

    A future instant is formatted as `moment` does.
    """
    now = _reading.get()
    if at is None or now.now is None or at > now.now + A_MINUTE:
        return moment(at)
    minutes = max(0, (now.now - at) // A_MINUTE)
    on = _date(at)
    days = -_days_from_today(on)
    if days <= 0 or minutes < HOUR:
        return "just now" if minutes < 1 else f"{minutes}{NBSP}min" if minutes < HOUR else f"{minutes // HOUR}{NBSP}h"
    if days == 1:
        return "yesterday"
    if days < WEEK:
        return _written(on, "EEE d", now.locale).replace(" ", NBSP)
    return _months(_written(on, "d MMM", now.locale)) if now.today and on.year == now.today.year else day_long(on)


def full(at: date | datetime | None) -> str:
    """Return the date, time and time zone of an instant, or the date of a day, for `title`: 20 Nov 2026, 14:47 CET."""
    if not isinstance(at, datetime):
        return day_long(at)
    local = _reading.get().local(at)
    return f"{day_long(local.date())}, {_hours(local)} {local.tzname()}"


def iso(at: date | datetime | None) -> str:
    """Return ISO 8601 text for the attribute `datetime` and for file names: an instant in UTC, or a day. None gives ""."""
    if at is None:
        return ""
    if not isinstance(at, datetime):
        return at.isoformat()
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def iso_day(on: date | datetime | None) -> str:
    """Return a day, or an instant's day in the reader's time zone, for a date field: 2026-11-20. None gives ""."""
    return "" if on is None else _date(on).isoformat()


def days_late(due_on: date) -> int:
    """Return how many days ago, in the company's time zone, a payment was due; negative if it is due in the future.

    Return 0 if the current instant is not known.
    """
    now = _reading.get()
    return (now.now.astimezone(now.company_zone).date() - due_on).days if now.now else 0


def in_order(*events: tuple[str, Iterable[Any]]) -> list[Any]:
    """Return events of several kinds in one list, in order of time.

    Each argument has the events of one kind. It is a pair: the name of the field with the instant or the day of an
    event, and the events (rows or objects). An event that has only a day comes last on that day.
    """

    def place(pair: tuple[str, Any]) -> tuple[date, float]:
        name, event = pair
        on = getattr(event, name) if hasattr(event, name) else event[name]
        return _date(on), on.timestamp() if isinstance(on, datetime) else inf

    return [event for _, event in sorted(((name, each) for name, some in events for each in some), key=place)]


def initials(name: str) -> str:
    """Return the initials of the first and the last word of a name: AL for Ada Lindqvist.

    A name of one word gives one letter, and a name without letters and digits gives "?".
    """
    words = [word for word in name.split() if word[:1].isalnum()]
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper() or "?"


def some(names: Sequence[str], most: int = 5) -> str:
    """Return at most `most` of the names as a text, with the number of the others: Ada, Alan and 12 more."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {number(len(names) - most)} more"


def filesize(octets: int) -> str:
    """Return a number of bytes in decimal units, with one decimal from a megabyte up: 184 kB or 1.2 MB."""
    if octets < KILO:
        return f"{octets}{NBSP}B"
    if octets < KILO**2:
        return f"{round(octets / KILO)}{NBSP}kB"
    return f"{number(round(Decimal(octets) / KILO**2, 1))}{NBSP}MB"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: 1 case, 2 cases, 1,200 cases.

    If `many` is None, the plural is `one` with an "s".
    """
    return f"{number(count)}{NBSP}{one if count == 1 else many or one + 's'}"


# Cached, because a page shows the same few days many times, and looking up a locale's pattern takes longer than the
# rest of a row.
_locale = lru_cache(maxsize=64)(lambda name: Locale.parse(name.replace("-", "_")))
_written = lru_cache(maxsize=4096)(format_date)
_built = lru_cache(maxsize=4096)(lambda skeleton, on, locale: format_skeleton(skeleton, on, locale=locale))


def _hours(local: datetime) -> str:
    return f"{local.hour:02}:{local.minute:02}"


def _date(on: date | datetime) -> date:
    return _reading.get().local(on).date() if isinstance(on, datetime) else on


def _days_from_today(on: date) -> int:
    """Return the number of days from today until `on`: 0 for today, -1 for yesterday, -100,000 if today is not known."""
    today = _reading.get().today
    return (on - today).days if today else -100_000


@lru_cache(maxsize=4096)
def _months(text: str) -> str:
    """Return a written date with `Sept` shortened to `Sep`, and a no-break space between day and month."""
    words = text.replace("Sept", "Sep").split(" ")
    at = next(place for place, word in enumerate(words) if word.isdigit())
    return " ".join([*words[:at], f"{words[at]}{NBSP}{words[at + 1]}", *words[at + 2 :]])


def _signed(text: str) -> str:
    return text.replace("-", MINUS)


def country(code: str) -> str:
    """Return the English name of the country with this code (`DE` gives Germany), or the code if it is unknown."""
    name: str = Locale.parse("en_GB").territories.get(code, code)
    return name
