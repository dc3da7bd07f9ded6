"""What people type into forms about persons, places and dates, read into values; one sentence for each field that cannot be used.

A noun's `...Facts` are its form's fields as they were typed. `Checked` reads them one by one and refuses all that is wrong at once.
"""

import contextlib
import re
import unicodedata
from collections.abc import AsyncIterator, Callable
from datetime import date
from functools import cache
from importlib.resources import files
from typing import TypeVar, cast

import asyncpg
from babel import Locale
from babel.core import get_global
from stdnum import bic as bics
from stdnum import iban as ibans
from stdnum.ch import uid
from stdnum.eu import vat as eu_vat
from stdnum.gb import vat as british_vat
from stdnum.no import orgnr
from stdnum.util import clean

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


def _plain(text: str, without: str = "") -> str:
    """Return what stands for a number in ASCII, whichever digits, dashes and blanks were typed or pasted; `without` names signs to drop."""
    return str(clean(unicodedata.normalize("NFKC", one_line(text)), without))


def line(text: str) -> str:
    """Return one line of text, not empty, as NFC: a name has one spelling."""
    read = unicodedata.normalize("NFC", one_line(text))
    if not read:
        raise ValueError("Fill this in.")
    if len(read) > LONGEST:
        raise ValueError(f"Use at most {LONGEST} characters.")
    return read


email = canonical
"""Read an address of one mailbox, `name@host`. Whether it exists is seen when a mail is sent to it."""


def phone(text: str) -> str:
    """A telephone number as people write it."""
    read = _plain(line(text))
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
        read = date.fromisoformat(_plain(text))
    except ValueError as error:
        raise ValueError("Write a date as year, month and day, such as 2026-11-20.") from error
    if not 1990 <= read.year <= 2200:
        raise ValueError("This year is too far away.")
    return read


def whole(least: int, most: int, unit: str = "") -> Callable[[str], int]:
    """A whole number from `least` to `most`."""

    def read(text: str) -> int:
        digits = _plain(text)
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
    """Return the canonical name of a time zone, such as Europe/Berlin; blanks may stand for underscores, and case does not count.

    Former names and other aliases (Europe/Kiev, Asia/Calcutta, US/Pacific) give the zone that they stand for.
    """
    found = _zone_names().get("_".join(text.split()).lower())
    if found is None:
        raise ValueError("Choose a time zone from the list, such as Europe/Berlin.")
    return found


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
    """Return the zones that are offered, canonical names only, with the words to show: UTC, and the places of `zone.tab`."""
    rows = (files("tzdata") / "zoneinfo" / "zone.tab").read_text().splitlines()
    places = sorted(row.split("\t")[2] for row in rows if row and not row.startswith("#"))
    return {name: name.replace("_", " ") for name in ("UTC", *places)}


@cache
def _zone_names() -> dict[str, str]:
    """Return the canonical zone of each name in lower case, aliases included."""
    aliases = {alias: zone for alias, zone in get_global("zone_aliases").items() if zone in zones()}
    utc = dict.fromkeys(("Etc/UTC", "Etc/UCT", "Etc/GMT", "Etc/Zulu", "GMT", "UCT", "Zulu"), "UTC")
    return {name.lower(): zone for name, zone in {**aliases, **utc, **{zone: zone for zone in zones()}}.items()}


def vat_id(text: str) -> str:
    """Return a VAT id with its country's prefix, without blanks: `DE123456788`. Greece writes EL, Northern Ireland XI.

    Its form and check digits are looked at, not whether it was given to somebody; of countries without a rule here, only its letters.
    """
    read = _plain(text, " .-/,").upper()
    if not re.fullmatch(r"[A-Z]{2}[A-Z0-9+*]{2,18}", read):
        raise ValueError("Write the VAT id with its country's letters first, such as DE123456788.")
    prefix = "CHE" if read.startswith("CHE") else read[:2]
    if prefix in ("GR", "CH"):
        raise ValueError(f"This VAT id begins with {'EL' if prefix == 'GR' else 'CHE'}.")
    if not _is_vat_id(prefix, read):
        raise ValueError(f"A VAT id that begins with {prefix} looks different: check its letters and digits.")
    return read


def _is_vat_id(prefix: str, read: str) -> bool:
    if prefix == "CHE":  # written with the name of the tax or without
        return bool(uid.is_valid(re.sub("(MWST|TVA|IVA)$", "", read)))
    if prefix == "NO":
        return bool(orgnr.is_valid(read[2:].removesuffix("MVA")))
    if prefix == "GB":
        return bool(british_vat.is_valid(read))
    return prefix.lower() not in {*eu_vat.MEMBER_STATES, "el"} or bool(eu_vat.is_valid(read))


def iban(text: str) -> str:
    """Return an IBAN without blanks, its length and check digits proved."""
    read = _plain(text, " -").upper()
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", read):
        raise ValueError("Write the whole IBAN, its country's letters first, such as DE02 1203 0000 0000 2020 51.")
    if not ibans.is_valid(read):
        raise ValueError("This IBAN has a typing error: its length or its check digits do not fit.")
    return read


def bic(text: str) -> str:
    """Return a BIC of 8 or 11 characters (ISO 9362), without blanks."""
    read = _plain(text, " -").upper()
    if not bics.is_valid(read):
        raise ValueError("A BIC has 8 or 11 letters and digits, such as BYLADEM1001.")
    return read
