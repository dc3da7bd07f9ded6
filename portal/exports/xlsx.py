"""Write Excel workbooks row by row, in memory that does not grow with their length."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import IO, Any

import xlsxwriter

from portal.exports import Cell, Kind, Sheet, printable

LONGEST_TEXT = 32_767
"""The maximum number of characters in one cell of Excel; the rest of a longer text is left out."""
MOST_ROWS = 1_048_576
"""The maximum number of rows of one worksheet of Excel, the headings included; further rows go to another worksheet."""
_FORMATS = {
    Kind.MONEY: "#,##0.00##",
    Kind.DATE: "yyyy-mm-dd",
    Kind.MOMENT: "yyyy-mm-dd hh:mm",
    Kind.CLOCK: "[h]:mm",
}
_WIDTHS = {Kind.TEXT: 24, Kind.DATE: 12, Kind.MOMENT: 17}
_MINUTES_OF_A_DAY = 1440
_NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""The time of creation in the properties of every file, so that equal rows make equal files."""


class XlsxWriter:
    """Writes a workbook with real numbers, dates and durations, not text that looks like them (D55).

    Text is always written as text: nothing that begins with `=` becomes a formula, and nothing becomes a link.
    Instants are in UTC, because Excel has no time zones.
    """

    def __init__(self, sheet: Sheet, file: IO[bytes]) -> None:
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book = xlsxwriter.Workbook(file, options)
        self._book.set_properties(
            {"title": printable(sheet.title), "created": _NO_TIME}
        )  # Equal rows make equal files.
        self._sheet = sheet
        self._bold = self._book.add_format({"bold": True})
        self._formats: dict[Kind, Any] = {
            kind: self._book.add_format({"num_format": written}) for kind, written in _FORMATS.items()
        }
        self._begin()

    def _begin(self) -> None:
        """Begin a worksheet with the headings, which stay in view."""
        self._page, self._row = self._book.add_worksheet(), 0
        self._page.freeze_panes(1, 0)
        for place, column in enumerate(self._sheet.columns):
            self._page.set_column(place, place, max(_WIDTHS.get(column.kind, 11), len(column.name) + 1))
            self._page.write_string(0, place, printable(column.name), self._bold)

    def add(self, row: Sequence[Cell]) -> None:
        self._row += 1
        if self._row == MOST_ROWS:
            self._begin()
            self._row = 1
        for place, (cell, column) in enumerate(zip(row, self._sheet.columns, strict=True)):
            self._put(place, cell, column.kind)

    def _put(self, place: int, cell: Cell, kind: Kind) -> None:
        written = self._formats.get(kind)
        match cell:
            case None:
                pass
            case str():
                self._page.write_string(self._row, place, printable(cell)[:LONGEST_TEXT])
            case datetime():
                self._page.write_datetime(self._row, place, cell.astimezone(UTC).replace(tzinfo=None), written)
            case date():
                self._page.write_datetime(self._row, place, cell, written)
            case int() if kind is Kind.CLOCK:  # Excel keeps durations as parts of a day.
                self._page.write_number(self._row, place, cell / _MINUTES_OF_A_DAY, written)
            case _:
                self._page.write_number(self._row, place, cell, written)

    def close(self, totals: Sequence[Cell] | None = None) -> None:
        if totals is not None:
            self._row += 1  # Leave a row empty, so that a reader who sums up a column does not include its total.
            self.add(totals)
        self._book.close()
