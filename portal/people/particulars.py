"""What people type into forms about persons, places and dates, read into values; one sentence for each field that cannot be used.

A noun's `...Facts` are its form's fields as they were typed. `Checked` reads them one by one and refuses all that is wrong at once.
"""

import contextlib
import re
from collections.abc import AsyncIterator, Callable
from datetime import date
from functools import cache
from typing import TypeVar, cast
from zoneinfo import available_timezones

import asyncpg
from babel import Locale
from babel.core import get_global

from portal.database import Transaction, current, transaction
from portal.errors import Invalid, NotFound
from portal.folding import folded
from portal.mailboxes import canonical
from portal.visible import visible

T = TypeVar("T")

LONGEST = 200
"""Characters of a line of text."""


class Checked:
    """Collects refusals: `name = checked("name", line, facts.name)` ... `checked.done()`."""

    def __init__(self) -> None:
        self.errors: dict[str, str] = {}

    def __call__(self, field: str, read: Callable[[str], T], text: str) -> T:
        """What `read` makes of the text. Where it raises ValueError its sentence is kept, and the result is None until `done` raises."""
        try:
            return read(text)
        except ValueError as error:
            self.refuse(field, str(error))
            return cast(T, None)

    def refuse(self, field: str, sentence: str) -> None:
        """Refuse a field; its first sentence stays."""
        self.errors.setdefault(field, sentence)

    def done(self) -> None:
        """Raise `Invalid` with everything that was refused."""
        if self.errors:
            raise Invalid(self.errors)


@contextlib.asynccontextmanager
async def unless_taken(field: str, sentence: str) -> AsyncIterator[Transaction]:
    """A savepoint for one insert or update; where a unique key refuses it, `Invalid` at the field with this sentence."""
    try:
        async with transaction(current().reader) as tx:
            yield tx
    except asyncpg.UniqueViolationError as error:
        raise Invalid({field: sentence}) from error


def optional(read: Callable[[str], T]) -> Callable[[str], T | None]:
    """The same reading, where an empty field is None."""
    return lambda text: read(text) if text.strip() else None


def one_line(text: str) -> str:
    """The visible text on one line; spaces in a row become one."""
    return " ".join(visible(text).split())


def line(text: str) -> str:
    """One line of text, not empty."""
    read = one_line(text)
    if not read:
        raise ValueError("Fill this in.")
    if len(read) > LONGEST:
        raise ValueError(f"Use at most {LONGEST} characters.")
    return read


email = canonical
"""Read an address of one mailbox, `name@host`. Whether it exists is seen when a mail is sent to it."""


def phone(text: str) -> str:
    """A telephone number as people write it."""
    read = line(text)
    if not re.fullmatch(r"\+?[0-9 ()/.\-]{3,40}", read):
        raise ValueError("Write a telephone number, such as +49 40 555 0148.")
    return read


def in_range(number: int) -> int:
    """An id from an address. Raises `NotFound` for a number that no row can have."""
    if not 0 < number < 2**63:
        raise NotFound
    return number


def identifier(text: str) -> int:
    """The id of something chosen from a list."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError("Choose one from the list.")
    return int(text)


def day(text: str) -> date:
    """A date as browsers send it."""
    try:
        read = date.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError("Write a date as year, month and day, such as 2026-11-20.") from error
    if not 1990 <= read.year <= 2200:
        raise ValueError("This year is too far away.")
    return read


def whole(least: int, most: int, unit: str = "") -> Callable[[str], int]:
    """A whole number from `least` to `most`."""

    def read(text: str) -> int:
        digits = text.strip()
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 12 and least <= int(digits) <= most):
            raise ValueError(f"Write a whole number from {least} to {most}{unit and ' '}{unit}.")
        return int(digits)

    return read


def one_of(values: tuple[str, ...]) -> Callable[[str], str]:
    """One of the values of a list."""

    def read(text: str) -> str:
        if text not in values:
            raise ValueError("Choose one from the list.")
        return text

    return read


def country(text: str) -> str:
    """A country's two letters, ISO 3166-1 alpha-2."""
    if text.strip().upper() not in countries():
        raise ValueError("Choose a country from the list.")
    return text.strip().upper()


def currency(text: str) -> str:
    """A currency's three letters, ISO 4217, of one that is in use."""
    if text.strip().upper() not in currencies():
        raise ValueError("Choose a currency from the list.")
    return text.strip().upper()


def time_zone(text: str) -> str:
    """A name of the zone database, such as Europe/Berlin."""
    if text.strip() not in zones():
        raise ValueError("Choose a time zone from the list, such as Europe/Berlin.")
    return text.strip()


def locale(text: str) -> str:
    """How dates and numbers are written for a reader."""
    return one_of(tuple(LOCALES))(text)


LOCALES = {
    tag: Locale.parse(tag).get_display_name("en_GB") or tag
    for tag in "en_GB en_IE en_US de_DE de_AT de_CH fr_FR fr_CH nl_NL it_IT es_ES pt_PT da_DK nb_NO sv_SE fi_FI pl_PL cs_CZ".split()
}
"""The language forms that are offered, with their English names."""


@cache
def countries() -> dict[str, str]:
    """Code and English name of each country, by name."""
    names = Locale.parse("en_GB").territories
    reserved = set("AC CP CQ DG EA EU EZ IC TA UN XA XB ZZ".split())  # exceptionally reserved, and no countries
    real = {code for code in get_global("territory_currencies") if re.fullmatch("[A-Z]{2}", code)} - reserved
    return dict(sorted(((code, names[code]) for code in real if code in names), key=lambda pair: folded(pair[1])))


@cache
def currencies() -> dict[str, str]:
    """Code and English name of each currency that some country uses today, by code."""
    names = Locale.parse("en_GB").currencies
    used = {
        code
        for spans in get_global("territory_currencies").values()
        for code, _, end, tender in spans
        if end is None and tender
    }
    return {code: names[code] for code in sorted(used) if code in names}


@cache
def zones() -> dict[str, str]:
    """The zones that are places, and UTC, with the words to show."""
    others = ("Etc/", "SystemV/", "posix", "right/")
    places = sorted(name for name in available_timezones() if "/" in name and not name.startswith(others))
    return {name: name.replace("_", " ") for name in ("UTC", *places)}


# Formats by the prefix that a VAT id begins with; Greece writes EL, Northern Ireland XI.
# Source: the structures published with the VAT Information Exchange System (VIES).
_VAT = {
    "AT": r"U\d{8}", "BE": r"[01]\d{9}", "BG": r"\d{9,10}", "CY": r"\d{8}[A-Z]", "CZ": r"\d{8,10}", "DE": r"\d{9}", "DK": r"\d{8}",
    "EE": r"\d{9}", "EL": r"\d{9}", "ES": r"[A-Z0-9]\d{7}[A-Z0-9]", "FI": r"\d{8}", "FR": r"[A-HJ-NP-Z0-9]{2}\d{9}", "HR": r"\d{11}",
    "HU": r"\d{8}", "IE": r"(\d{7}[A-W][A-I]?|\d[A-Z+*]\d{5}[A-W])", "IT": r"\d{11}", "LT": r"(\d{9}|\d{12})", "LU": r"\d{8}",
    "LV": r"\d{11}", "MT": r"\d{8}", "NL": r"[A-Z0-9+*]{10}\d{2}", "PL": r"\d{10}", "PT": r"\d{9}", "RO": r"\d{2,10}", "SE": r"\d{12}",
    "SI": r"\d{8}", "SK": r"\d{10}", "XI": r"(\d{9}|\d{12}|(GD|HA)\d{3})", "GB": r"(\d{9}|\d{12}|(GD|HA)\d{3})",
    "CHE": r"\d{9}(MWST|TVA|IVA)?", "NO": r"\d{9}(MVA)?",
}  # fmt: skip


def vat_id(text: str) -> str:
    """A VAT id with its country's prefix, without spaces: `DE123456789`. Its form is checked, not whether it was given to somebody."""
    read = re.sub(r"[\s.\-/]", "", text).upper()
    if not re.fullmatch(r"[A-Z]{2}[A-Z0-9+*]{2,18}", read):
        raise ValueError("Write the VAT id with its country's letters first, such as DE123456789.")
    prefix = "CHE" if read.startswith("CHE") else read[:2]
    if prefix in ("GR", "CH"):
        raise ValueError(f"This VAT id begins with {'EL' if prefix == 'GR' else 'CHE'}.")
    form = _VAT.get(prefix)
    if form and not re.fullmatch(form, read.removeprefix(prefix)):
        raise ValueError(f"A VAT id that begins with {prefix} looks different: check its letters and digits.")
    return read


def iban(text: str) -> str:
    """An IBAN without spaces, its two check digits proved (ISO 13616: the rearranged number is 1 modulo 97)."""
    read = re.sub(r"\s", "", text).upper()
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", read):
        raise ValueError("Write the whole IBAN, its country's letters first, such as DE02 1203 0000 0000 2020 51.")
    if int("".join(str(int(sign, 36)) for sign in read[4:] + read[:4])) % 97 != 1:
        raise ValueError("This IBAN has a typing error: its check digits do not fit.")
    return read


def bic(text: str) -> str:
    """A BIC of 8 or 11 characters (ISO 9362)."""
    read = re.sub(r"\s", "", text).upper()
    if not re.fullmatch(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?", read):
        raise ValueError("A BIC has 8 or 11 letters and digits, such as BYLADEM1001.")
    return read
