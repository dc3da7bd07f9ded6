"""Write sheets to files: a report, an export or the detail of an invoice is a `Sheet`, and each format is a writer."""

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
    """Name what the cells of a column hold, so that a writer can tell numbers and dates from text."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    MINUTES = "minutes"
    DATE = "date"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Column:
    """Hold a heading and the kind of the cells below it."""

    name: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Sheet:
    """Hold header and rows before any file format; each row has one cell for each column, None for an empty one.

    `totals` is separate from `rows`, so that the sum of a column is the sum of the invoice and not twice that (D55).
    """

    title: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Cell]]
    totals: Sequence[Cell] | None = None


_PLAIN_NEGATIVE = re.compile(r"-[0-9]+(?:[.,][0-9]+)?", re.ASCII)
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def harmless(text: str) -> str:
    """Return `text` so that no spreadsheet reads it as a formula: `= + - @`, TAB and CR get an apostrophe (R62).

    That includes text with leading blanks or invisible characters, and the fullwidth and small forms of the four
    signs. A plain negative number stays. Control characters are removed (D55).
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
    """Return a CSV: UTF-8 with a byte order mark, RFC 4180 quoting, CR LF; `;` suits Excel in de and fr (D55).

    Numbers are written plain, with a point and without thousands separators; dates and instants as ISO 8601. Totals
    are written only on request, after an empty line.
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
