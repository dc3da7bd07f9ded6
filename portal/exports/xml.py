"""Write XML row by row, in memory that does not grow with the file's length."""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date, datetime
from decimal import Decimal
from typing import IO

from lxml import etree

from portal.exports import Cell, Column, Sheet, printable


class XmlWriter:
    """Writes XML: a root element `sheet` with the attribute `title`, and in it one element `row` for each row (D55).

    A `row` has one element for each cell that is not None, named after the column: "Minutes worked" becomes
    `minutes_worked`. The element `totals` has the same form as a `row`. Numbers have a decimal point, durations are
    minutes, and dates and instants are ISO 8601.
    """

    def __init__(self, sheet: Sheet, file: IO[bytes]) -> None:
        self._names = [element_of(column) for column in sheet.columns]
        self._open = ExitStack()
        self._file = self._open.enter_context(etree.xmlfile(file, encoding="utf-8"))
        self._file.write_declaration()
        self._open.enter_context(self._file.element("sheet", title=printable(sheet.title)))
        self._file.write("\n")

    def add(self, row: Sequence[Cell]) -> None:
        self._add("row", row)

    def _add(self, name: str, row: Sequence[Cell]) -> None:
        element = etree.Element(name)
        for cell, tag in zip(row, self._names, strict=True):
            if cell is not None:
                etree.SubElement(element, tag).text = _written(cell)
        self._file.write(element)
        self._file.write("\n")

    def close(self, totals: Sequence[Cell] | None = None) -> None:
        if totals is not None:
            self._add("totals", totals)
        self._open.close()


def element_of(column: Column) -> str:
    """Return the name of the XML element for the cells of a column, made from the column's heading.

    The name is in lower case, with `_` between words. It begins with `_` if it would not begin with a letter.
    """
    name = re.sub(r"[^a-z0-9]+", "_", column.name.lower()).strip("_")
    return name if name[:1].isalpha() else f"_{name}"


def _written(cell: Cell) -> str:
    match cell:
        case str():
            return printable(cell)
        case datetime():
            return cell.isoformat(timespec="seconds")
        case date():
            return cell.isoformat()
        case Decimal():
            return f"{cell:f}"
        case _:
            return str(cell)
