"""Write tables to files. A report, an export or the detail of an invoice is a `Sheet`. Each format has a writer."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import IO, Protocol

from portal.durations import clock

Cell = str | int | Decimal | date | datetime | None


class Kind(StrEnum):
    """The kinds of values in a column. The kind decides the format of the cells in each file format."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    MINUTES = "minutes"
    """Minutes as a whole number."""
    CLOCK = "clock"
    """Minutes that people read as hours and minutes, such as `7:30`."""
    DATE = "date"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a sheet: its heading, and the kind of its cells."""

    name: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table to be written in any of the file formats. Each row has one cell per column; None is an empty cell.

    `title` is the title of the file. `totals` also has one cell per column. `rows` does not contain the totals (D55).
    """

    title: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Cell]]
    totals: Sequence[Cell] | None = None


_PLAIN_NEGATIVE = re.compile(r"-[0-9]+(?:[.,][0-9]+)?", re.ASCII)
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def harmless(text: str) -> str:
    """Return `text` in a form that no spreadsheet takes for a formula (R62).

    An apostrophe is put in front of a text that begins with `=`, `+`, `-`, `@`, a TAB or a CR, even after blanks or
    invisible characters. Fullwidth and small forms of `=`, `+`, `-` and `@` count too. A plain negative number, such as
    `-12.5`, gets no apostrophe. Control characters other than TAB and line breaks are removed (D55).
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


def printable(text: str) -> str:
    """Return `text` without characters that XML 1.0 or spreadsheets do not allow (D55).

    These characters are lone surrogates, U+FFFE, U+FFFF, and the control characters except TAB and line breaks.
    """
    return _NOT_IN_XML.sub("", text)


class Writer(Protocol):
    """Writes the rows of a sheet to an open file."""

    def add(self, row: Sequence[Cell]) -> None:
        """Write the next row, with one cell for each column."""

    def close(self, totals: Sequence[Cell] | None = None) -> None:
        """Write the totals, if given, and complete the file, without closing the file object."""


def _written(cell: Cell, kind: Kind) -> str:
    match cell:
        case None:
            text = ""
        case str():
            text = harmless(cell)
        case datetime():
            text = cell.isoformat(timespec="seconds")
        case date():
            text = cell.isoformat()
        case Decimal():
            text = f"{cell:f}"
        case int() if kind is Kind.CLOCK:
            text = clock(cell)
        case _:
            text = str(cell)
    return text


def writer_of(format: str, sheet: Sheet, file: IO[bytes], *, separator: str = ",") -> Writer:
    """Return a writer that appends rows of `sheet` to `file` in the format `csv`, `xlsx` or `xml`.

    `file` must be seekable for `xlsx`. `separator` is used for `csv` only. The rows and totals in `sheet` are not read:
    the caller passes each row to `add`, and the totals to `close`. Raise `ValueError` for another format.
    """
    match format:
        case "csv":
            return CsvWriter(sheet, file, separator)
        case "xlsx":
            from portal.exports.xlsx import XlsxWriter  # noqa: PLC0415 (costs time, and only exports need it)

            return XlsxWriter(sheet, file)
        case "xml":
            from portal.exports.xml import XmlWriter  # noqa: PLC0415 (the same)

            return XmlWriter(sheet, file)
    raise ValueError(format)


class CsvWriter:
    """Writes CSV: UTF-8 with byte order mark, RFC 4180 quoting, CR LF (D55).

    The separator is a comma, a TAB or a semicolon; the semicolon suits German and French Excel. Numbers have a decimal
    point and no thousands separators; dates and instants are ISO 8601. An empty line comes between rows and totals.
    """

    def __init__(self, sheet: Sheet, file: IO[bytes], separator: str = ",") -> None:
        if separator not in (",", ";", "\t"):
            raise ValueError("a separator is a comma, a semicolon or a tab")
        self._text = io.TextIOWrapper(file, "utf-8-sig", "replace", newline="", write_through=False)
        self._csv = csv.writer(self._text, delimiter=separator, lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
        self._kinds = [column.kind for column in sheet.columns]
        self._csv.writerow([harmless(column.name) for column in sheet.columns])

    def add(self, row: Sequence[Cell]) -> None:
        self._csv.writerow([_written(cell, kind) for cell, kind in zip(row, self._kinds, strict=True)])

    def close(self, totals: Sequence[Cell] | None = None) -> None:
        if totals is not None:
            self._text.write("\r\n")
            self.add(totals)
        self._text.detach()


def write(format: str, sheet: Sheet, *, separator: str = ",", totals: bool = False) -> bytes:
    """Return the sheet as a file in the format `csv`, `xlsx` or `xml`. Totals are written only if `totals` is True."""
    file = io.BytesIO()
    writer = writer_of(format, sheet, file, separator=separator)
    for row in sheet.rows:
        writer.add(row)
    writer.close(sheet.totals if totals else None)
    return file.getvalue()


def write_csv(sheet: Sheet, separator: str = ",", *, totals: bool = False) -> bytes:
    """Return the sheet as CSV (`CsvWriter`). Totals are written only if `totals` is True."""
    return write("csv", sheet, separator=separator, totals=totals)
