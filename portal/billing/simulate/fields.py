"""Read JSON objects, lists and scalars, and record every error with its location."""

import re
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from portal.billing.simulate.errors import Errors, Location
from portal.billing.simulate.json_text import MOST_DIGITS, Fraction, Pairs, TooLong, is_short

T = TypeVar("T")
Choice = TypeVar("Choice", bound=StrEnum)
Scalar = Callable[[object], T]
"""A function that converts a JSON value to a Python value, or raises `ValueError` with an error message."""

_NUMBER = re.compile(r"-?[0-9]+(?:\.([0-9]+))?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_CLOCK = re.compile(r"([0-2][0-9]):([0-5][0-9])", re.ASCII)
_INSTANT = re.compile(
    r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?)?"
    r"|[0-9]{8}T[0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:[.,][0-9]+)?)?)?)"
    r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)",
    re.ASCII,
)

TOO_LONG = f"more than {MOST_DIGITS} digits"


class Written(Decimal):
    """A number that keeps its spelling in the input document, so that the output can spell rates in the same way."""

    text: str

    def __new__(cls, text: str) -> "Written":
        number = super().__new__(cls, text)
        number.text = text
        return number


def text(value: object) -> str:
    """Return `value` if it is a string. Raise `ValueError` otherwise, also for a number (`Fraction`)."""
    if not isinstance(value, str) or isinstance(value, Fraction):
        raise ValueError("not a string")
    return value


def boolean(value: object) -> bool:
    """Return `value` if it is `true` or `false`. Raise `ValueError` otherwise."""
    if not isinstance(value, bool):
        raise ValueError("not true or false")
    return value


def integer(least: int) -> Scalar[int]:
    """Return a function that reads an integer of at least `least`, written without decimal point and exponent.

    The function raises `ValueError` for any other value, and for a number of more than `MOST_DIGITS` digits.
    """

    def read(value: object) -> int:
        if isinstance(value, TooLong):
            raise ValueError(TOO_LONG)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("not an integer")
        if abs(value) >= 10**MOST_DIGITS:
            raise ValueError(TOO_LONG)
        if value < least:
            raise ValueError("negative" if value < 0 else f"less than {least}")
        return value

    return read


def number(decimals: int) -> Scalar[Decimal]:
    """Return a function that reads a non-negative number from a string, with at most `decimals` decimal places.

    The function raises `ValueError` for anything else, and for a number of more than `MOST_DIGITS` digits.
    """

    def read(value: object) -> Decimal:
        match = _NUMBER.fullmatch(text(value))
        if match is None:
            raise ValueError("not a number")
        if not is_short(match[0]):
            raise ValueError(TOO_LONG)
        found = Written(match[0])
        if found < 0:
            raise ValueError("negative")
        if len(match[1] or "") > decimals:
            raise ValueError(f"more than {decimals} decimals")
        return found

    return read


rate = number(4)


def day(value: object) -> date:
    """Return the date in `value`, a text such as `2026-11-01`. Raise `ValueError` for another value."""
    written = text(value)
    if _DATE.fullmatch(written):
        try:
            return date.fromisoformat(written)
        except ValueError:
            pass
    raise ValueError("not a date")


def clock_time(value: object) -> timedelta:
    """Return the time since midnight in `value`, a text from `00:00` to `24:00`. Raise `ValueError` otherwise."""
    match = _CLOCK.fullmatch(text(value))
    found = timedelta(hours=int(match[1]), minutes=int(match[2])) if match else None
    if found is None or found > timedelta(days=1):
        raise ValueError("not a time from 00:00 to 24:00")
    return found


def instant(value: object) -> datetime:
    """Return the instant in `value`, a text in ISO 8601 with a time zone. Raise `ValueError` for another value."""
    written = text(value)
    if _INSTANT.fullmatch(written):
        try:
            return datetime.fromisoformat(written)
        except ValueError:
            pass
    raise ValueError("not an instant with a zone")


def choice(words: type[Choice], without: Container[StrEnum] = ()) -> Scalar[Choice]:
    """Return a function that reads a member of the enum `words` by its value, except the members in `without`.

    The function raises `ValueError` for any other value.
    """
    members = {word.value: word for word in words if word not in without}

    def read(value: object) -> Choice:
        try:
            return members[text(value)]
        except (KeyError, ValueError):
            raise ValueError(f"not one of {', '.join(members)}") from None

    return read


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object that is being read key by key.

    Its methods record each error in `errors` instead of raising it, and return None for a value that could not be read.
    A key whose value is null counts as missing. `place` is the location of the object. `values` holds the location and
    the value of each key, `known` the keys that the object may have, and `size` is the number of keys in the file.
    """

    errors: Errors
    place: Location
    values: dict[str, tuple[Location, object]]
    known: tuple[str, ...]
    size: int

    @classmethod
    def of(cls, errors: Errors, place: Location, value: object, known: tuple[str, ...]) -> "Fields":
        """Return the fields of `value`; `known` are the keys that such an object may have.

        Record an error for each unknown or repeated key. If `value` is not an object, record one error, and return
        fields without values, whose later errors are ignored.
        """
        if not isinstance(value, dict):
            errors.add(place, "not an object")
            return cls(Errors(), place, {}, known, 0)
        pairs = value.pairs if isinstance(value, Pairs) else list(value.items())
        values: dict[str, tuple[Location, object]] = {}
        for index, (name, content) in enumerate(pairs):
            at = place.key(name, index)
            if name in values:
                errors.add(at, "the key appears twice")
                continue
            values[name] = (at, content)
            if name not in known:
                errors.add(at, "unknown key")
        return cls(errors, place, values, known, len(pairs))

    def has(self, name: str) -> bool:
        """Return whether the object has the key `name` with a value that is not null."""
        return name in self.values and self.values[name][1] is not None

    def count(self) -> int:
        """Return how many keys of the object have a value that is not null, including unknown keys."""
        return sum(self.has(name) for name in self.values)

    def is_empty_list(self, name: str) -> bool:
        """Return whether the value of the key `name` is a list without items."""
        return self.has(name) and self.values[name][1] == []

    def at(self, name: str) -> Location:
        """Return the location of the value of the key `name`, for errors.

        A key that is missing or null gets a location at the end of the object; several such keys are in the order of
        `known`.
        """
        if self.has(name):
            return self.values[name][0]
        return self.place.key(name, self.size + self.known.index(name))

    def value(self, name: str) -> object:
        """Return the value of the key `name` as it is in the input document, without any conversion.

        If it is missing or null, record an error and return None.
        """
        if not self.has(name):
            self.errors.add(self.at(name), "missing")
            return None
        return self.values[name][1]

    def take(self, name: str, scalar: Scalar[Any]) -> Any:
        """Return the value of the required key `name`, converted by `scalar`.

        If the value is missing, null or wrong, record an error and return None.
        """
        content = self.value(name)
        return None if content is None else take(self.errors, self.at(name), content, scalar)

    def get(self, name: str, scalar: Scalar[Any], default: Any = None) -> Any:
        """Return the value of the optional key `name`, converted by `scalar`.

        Return `default` if the key is missing or null. If the value is wrong, record an error and return None.
        """
        return self.take(name, scalar) if self.has(name) else default

    def inner(self, name: str, known: tuple[str, ...]) -> "Fields":
        """Return the fields of the object under the required key `name`; `known` are the keys that the object may have.

        If the key is missing or null, or its value is not an object, record one error, and return fields without
        values.
        """
        content = self.value(name)
        return Fields.of(Errors() if content is None else self.errors, self.at(name), content, known)

    def wrong(self, name: str, what: str) -> None:
        """Record the error `what` at the value of the key `name`."""
        self.errors.add(self.at(name), what)

    def unique(self, name: str, value: str | None, seen: Container[str]) -> bool:
        """Return whether `value`, which was read from the key `name`, is not None and not in `seen`.

        Record an error if `value` is in `seen`. The caller adds `value` to `seen`.
        """
        if value is not None and value in seen:
            self.wrong(name, "defined twice")
        return value is not None and value not in seen

    def items(self, name: str, *, required: bool = True) -> Iterator[tuple[Location, object]]:
        """Yield each item of the list under the key `name`, with its location.

        Record an error if the value is not a list. If `required`, a missing or null value is an error too.
        """
        if not required and not self.has(name):
            return
        content = self.value(name)
        if isinstance(content, list):
            for index, item in enumerate(content):
                yield self.at(name).item(index), item
        elif content is not None:
            self.errors.add(self.at(name), "not a list")


def take(errors: Errors, place: Location, content: object, scalar: Scalar[Any]) -> Any:
    """Return `content` converted by `scalar`; if that fails, record an error at `place` in `errors` and return None."""
    try:
        return scalar(content)
    except ValueError as error:
        errors.add(place, str(error))
        return None


def reference(fields: Fields, name: str, known: Container[object]) -> str:
    """Return the string under the required key `name`. If it is missing or no string, record an error and return None.

    If the string is not in `known`, record an error, but return the string.
    """
    found: str = fields.take(name, text)
    if found is not None and found not in known:
        fields.wrong(name, "unknown")
    return found


def references(fields: Fields, name: str, known: Container[object]) -> list[tuple[Location, str]]:
    """Return the ids in a required list, each with its location. Record an error for unknown and repeated ids.

    Unknown and repeated ids are left out of the result.
    """
    found: dict[str, Location] = {}
    for place, value in fields.items(name):
        id = take(fields.errors, place, value, text)
        if id in found:
            fields.errors.add(place, "appears twice")
        elif id is not None and id not in known:
            fields.errors.add(place, "unknown")
        elif id is not None:
            found[id] = place
    return [(place, id) for id, place in found.items()]
