"""Rows first, formats later: a report, an export or an invoice's detail is a `Sheet`; a format is a writer over it."""

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
    """What the cells of a column are, so that a writer can tell numbers and dates from text."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    MINUTES = "minutes"
    DATE = "date"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, and the kind of the cells below it."""

    name: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Sheet:
    """Header and rows before any file format; each row has one cell per column, None is an empty one.

    `totals` stands apart from `rows`, so that whoever sums a column gets the invoice and not twice the invoice (D55).
    """

    title: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Cell]]
    totals: Sequence[Cell] | None = None


_PLAIN_NEGATIVE = re.compile(r"-[0-9]+(?:[.,][0-9]+)?", re.ASCII)
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def harmless(text: str) -> str:
    """`text` so that no spreadsheet takes it for a formula: an apostrophe goes before `= + - @`, TAB and CR (R62, D55).

    Also where blanks or invisible characters come first, and for the fullwidth and small forms of the four signs. A
    plain negative number stays. Control characters that no text needs are left out.
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
    """UTF-8 with a byte order mark, RFC 4180 quoting, lines end in CR LF; `;` suits Excel in de and fr (D55).

    Numbers are written plain, with a point and without separators for thousands; dates and instants as ISO 8601. The
    totals come only if asked for, after an empty line.
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
