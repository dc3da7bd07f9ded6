"""Read form fields: each function turns text into a value, or raises `ValueError` with a message on how to correct it.

A `...Facts` struct holds the fields of a form as they were typed. `Checked` reads the fields one by one and reports all
errors together.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, time
from typing import TypeVar, cast

from stdnum import bic as bics
from stdnum import iban as ibans
from stdnum.ch import uid
from stdnum.eu import vat as eu_vat
from stdnum.gb import vat as british_vat
from stdnum.no import orgnr
from stdnum.util import clean

from portal.errors import Invalid, NotFound
from portal.mailboxes import canonical
from portal.numbers import number_in
from portal.visible import visible

T = TypeVar("T")

LONGEST = 200
"""The maximum number of characters of a line of text."""


class Checked:
    """Collects the errors of a form: `name = checked("name", line, facts.name)` for each field, then `checked.done()`."""

    def __init__(self) -> None:
        self.errors: dict[str, str] = {}

    def __call__(self, field: str, read: Callable[[str], T], text: str) -> T:
        """Return the value that `read` makes of the text of a field.

        If `read` raises `ValueError`, its message becomes the error of the field and None is returned; `done` then
        raises `Invalid`.
        """
        try:
            return read(text)
        except ValueError as error:
            self.refuse(field, str(error))
            return cast(T, None)

    def refuse(self, field: str, sentence: str) -> None:
        """Record an error for a field, unless the field has one already."""
        self.errors.setdefault(field, sentence)

    def done(self) -> None:
        """Raise `Invalid` with all recorded errors, if there are any."""
        if self.errors:
            raise Invalid(self.errors)


def optional(read: Callable[[str], T]) -> Callable[[str], T | None]:
    """Return a function that returns None for an empty text, and for any other text what `read` returns."""
    return lambda text: read(text) if text.strip() else None


def one_line(text: str) -> str:
    """Return the text on one line, without invisible characters and with one space for each run of white space."""
    return " ".join(visible(text).split())


def _plain(text: str, without: str = "") -> str:
    """Return a typed number, date or code in ASCII, without the characters in `without`.

    Digits, letters, dashes and spaces in other forms, such as fullwidth ones, become those of ASCII.
    """
    return str(clean(unicodedata.normalize("NFKC", one_line(text)), without))


def line(text: str) -> str:
    """Return one line of text in Unicode form NFC, so that names that look equal are equal strings.

    Raise `ValueError` if it is empty or has more than `LONGEST` characters.
    """
    read = unicodedata.normalize("NFC", one_line(text))
    if not read:
        raise ValueError("Fill this in.")
    if len(read) > LONGEST:
        raise ValueError(f"Use at most {LONGEST} characters.")
    return read


email = canonical
"""Return a typed mail address in canonical spelling. Raise `ValueError` for other text.

Whether the mailbox exists is known only once a mail is sent.
"""


def phone(text: str) -> str:
    """Return a telephone number with the grouping that was typed. Raise `ValueError` for text that cannot be one."""
    read = _plain(line(text))
    if not re.fullmatch(r"\+?[0-9 ()/.\-]{3,40}", read):
        raise ValueError("Write a telephone number, such as +49 40 555 0148.")
    return read


def in_range(number: int, *, bits: int = 63) -> int:
    """Return a row id that came from a URL. Raise `NotFound` if no row can have this id.

    No row has an id below 1 or of more than `bits` bits: 63 for a column of type bigint, 31 for one of type integer.
    """
    if not 0 < number < 2**bits:
        raise NotFound
    return number


def identifier(text: str) -> int:
    """Return the row id of the option that was chosen in a form. Raise `ValueError` for anything but 1 to 18 digits."""
    if (number := number_in(text)) is None:
        raise ValueError("Choose one from the list.")
    return number


def day(text: str) -> date:
    """Return a date from the ISO form that browsers send, such as 2026-11-20.

    Raise `ValueError` for other text, and for a year before 1990 or after 2200.
    """
    try:
        read = date.fromisoformat(_plain(text))
    except ValueError as error:
        raise ValueError("Write a date as year, month and day, such as 2026-11-20.") from error
    if not 1990 <= read.year <= 2200:
        raise ValueError("This year is too far away.")
    return read


def clock_time(text: str) -> time:
    """Return a time of day from the form that browsers send, such as 09:00; seconds and a UTC offset are dropped.

    Raise `ValueError` for other text.
    """
    try:
        return time.fromisoformat(_plain(text)).replace(second=0, microsecond=0, tzinfo=None)
    except ValueError:
        raise ValueError("Write a clock time such as 09:00.") from None


def whole(least: int, most: int, unit: str = "") -> Callable[[str], int]:
    """Return a function that reads a whole number from `least` to `most`.

    The function raises `ValueError` for other text; the message contains the range and the `unit`.
    """

    def read(text: str) -> int:
        digits = _plain(text)
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 12 and least <= int(digits) <= most):
            raise ValueError(f"Write a whole number from {least} to {most}{unit and ' '}{unit}.")
        return int(digits)

    return read


def one_of(values: tuple[str, ...]) -> Callable[[str], str]:
    """Return a function that returns its text if that is one of `values`, and otherwise raises `ValueError`."""

    def read(text: str) -> str:
        if text not in values:
            raise ValueError("Choose one from the list.")
        return text

    return read


def yes_or_no(text: str) -> bool:
    """Return True for `yes` and False for `no`. Raise `ValueError` for other text."""
    return one_of(("yes", "no"))(text) == "yes"


def vat_id(text: str) -> str:
    """Return a VAT id with its country's prefix and without spaces, such as `DE123456788`.

    Raise `ValueError` if it is wrong. Greek ids start with EL, Northern Irish ones with XI. The format and the check
    digits are validated, not whether the id has been issued. For a country without a rule here, only the set of allowed
    characters is checked.
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
    """Return whether the id follows the rules of the country with this prefix; True for a country without rules here."""
    if prefix == "CHE":  # Swiss ids may end with the name of the tax.
        return bool(uid.is_valid(re.sub("(MWST|TVA|IVA)$", "", read)))
    if prefix == "NO":
        return bool(orgnr.is_valid(read[2:].removesuffix("MVA")))
    if prefix == "GB":
        return bool(british_vat.is_valid(read))
    return prefix.lower() not in {*eu_vat.MEMBER_STATES, "el"} or bool(eu_vat.is_valid(read))


def iban(text: str) -> str:
    """Return an IBAN in capitals and without spaces. Raise `ValueError` if its length or its check digits are wrong."""
    read = _plain(text, " -").upper()
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", read):
        raise ValueError("Write the whole IBAN, its country's letters first, such as DE02 1203 0000 0000 2020 51.")
    if not ibans.is_valid(read):
        raise ValueError("This IBAN has a typing error: its length or its check digits do not fit.")
    return read


def bic(text: str) -> str:
    """Return a BIC (ISO 9362) of 8 or 11 characters, in capitals and without spaces.

    Raise `ValueError` for anything else.
    """
    read = _plain(text, " -").upper()
    if not bics.is_valid(read):
        raise ValueError("A BIC has 8 or 11 letters and digits, such as BYLADEM1001.")
    return read
