"""Write tables to files. A report, an export or the detail of an invoice is a `Sheet`; each file format has a function."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

Cell = str | int | Decimal | date | datetime | None


class Kind(StrEnum):
    """The kinds of values in a column, by which the function of a file format tells numbers and dates from text."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    MINUTES = "minutes"
    DATE = "date"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a sheet: its heading, and the kind of its cells."""

    name: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table that has not been written in a file format yet. Each row has one cell per column; None is an empty cell.

    `totals` is separate from `rows`, so that the sum of a column is the sum of the invoice and not twice that (D55).
    """

    title: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Cell]]
    totals: Sequence[Cell] | None = None


_PLAIN_NEGATIVE = re.compile(r"-[0-9]+(?:[.,][0-9]+)?", re.ASCII)
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def harmless(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula: an apostrophe precedes `= + - @`, TAB and CR (R62).

    That also holds if such a sign follows blanks or invisible characters, and for the fullwidth and small forms of the
    four signs. A plain negative number stays as it is. Control characters are removed (D55).
    """
    text = _FORBIDDEN.sub("", text)
    if _PLAIN_NEGATIVE.fullmatch(text):
        return text
    for character in text:
        if character in "\t\r" or unicodedata.normalize("NFKC", character) in ("=", "+", "-", "@"):
            return "'" + text
        if not (character.isspace() or unicodedata.category(character) == "Cf"):
            return text
    return text


def _written(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case str():
            return harmless(cell)
        case datetime():
            return cell.isoformat(timespec="seconds")
        case date():
            return cell.isoformat()
        case Decimal():
            return f"{cell:f}"
        case _:
            return str(cell)


def write_csv(sheet: Sheet, separator: str = ",", *, totals: bool = False) -> bytes:
    """Return the sheet as the bytes of a CSV file: UTF-8 with byte order mark, RFC 4180 quoting, CR LF (D55).

    The separator `;` suits German and French Excel. Numbers are written with a decimal point and without thousands
    separators; dates and instants as ISO 8601. Totals are written only if `totals` is True, after an empty line. Raise
    `ValueError` for a separator that is not a comma, a semicolon or a tab.
    """
    if separator not in (",", ";", "\t"):
        raise ValueError("a separator is a comma, a semicolon or a tab")
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerow([harmless(column.name) for column in sheet.columns])
    writer.writerows([_written(cell) for cell in row] for row in sheet.rows)
    if totals and sheet.totals is not None:
        text.write("\r\n")
        writer.writerow([_written(cell) for cell in sheet.totals])
    return text.getvalue().encode("utf-8-sig", "replace")
