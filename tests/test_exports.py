"""Test CSV, XLSX and XML exports: no cell is run as a formula, and numbers and dates have real types (D55, R62)."""

import csv
import io
import re
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from portal.exports import Column, Kind, Sheet, harmless, write, write_csv
from portal.exports.zips import member_name

LINES = Sheet(
    "Detail",
    [Column("Day", Kind.DATE), Column("Comment"), Column("h:min", Kind.MINUTES), Column("EUR", Kind.MONEY)],
    [(date(2026, 2, 1), 'Said "no", twice;\nthen yes', 90, Decimal("-12.50")), (None, "=1+1", 0, Decimal("1E+3"))],
    totals=(None, "Total", 90, Decimal("987.50")),
)


def read(content: bytes, separator: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=separator))


def test_a_csv_has_a_byte_order_mark_and_quotes_as_rfc_4180_says() -> None:
    content = write_csv(LINES)
    assert content.startswith(b"\xef\xbb\xbfDay,Comment,h:min,EUR\r\n")
    assert b'2026-02-01,"Said ""no"", twice;\nthen yes",90,-12.50\r\n' in content
    assert content.endswith(b",'=1+1,0,1000\r\n")


def test_a_semicolon_separates_where_it_is_asked_for() -> None:
    assert read(write_csv(LINES, ";"), ";") == read(write_csv(LINES))
    with pytest.raises(ValueError, match="separator"):
        write_csv(LINES, "|")


def test_totals_stand_apart_so_that_a_sum_is_the_sum() -> None:
    assert sum(Decimal(row[3]) for row in read(write_csv(LINES))[1:]) == Decimal("987.50")
    assert read(write_csv(LINES, totals=True))[-2:] == [[], ["", "Total", "90", "987.50"]]


def test_an_instant_is_written_with_its_zone() -> None:
    sheet = Sheet("One", [Column("At", Kind.MOMENT)], [[datetime(2026, 2, 1, 9, 30, tzinfo=UTC)]])
    assert read(write_csv(sheet))[1] == ["2026-02-01T09:30:00+00:00"]


@pytest.mark.parametrize("text", ["=1+1", "+49 1", "-x", "@a", "\tx", "\rx", "  =1", "\u00a0=1", "\u200b=1", "\ufeff=1",
                                  " \n=1", "＝1", "＋1", "－1", "＠a", "﹣1+1", "-1+1", "-", "\x00=1"])  # fmt: skip
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert harmless(text) == "'" + text.replace("\x00", "")


@pytest.mark.parametrize("text", ["", "a=1", "-5", "-12.50", "-1,5", "VPN restored", "'=1", "1+1", "  a", "−5"])
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_headings_are_made_harmless_too() -> None:
    assert write_csv(Sheet("S", [Column("=a")], [])) == b"\xef\xbb\xbf'=a\r\n"


def test_a_lone_surrogate_does_not_break_the_export() -> None:
    assert write_csv(Sheet("S", [Column("a")], [["\ud800"]])) == b"\xef\xbb\xbfa\r\n?\r\n"


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=2, max_size=2)), st.sampled_from(",;\t"))
def test_every_text_is_read_again_and_no_cell_starts_a_formula(rows: list[list[str]], separator: str) -> None:
    found = read(write_csv(Sheet("S", [Column("a"), Column("b")], rows), separator), separator)[1:]
    assert found == [[harmless(cell) for cell in row] for row in rows]
    assert not [c for row in found for c in row if c.lstrip()[:1] in ("=", "+", "@") or c[:1] in ("\t", "\r")]


# --- Excel and XML

EVERY_KIND = Sheet(
    "July & August",
    [Column("Who"), Column("Day", Kind.DATE), Column("At", Kind.MOMENT), Column("Worked", Kind.CLOCK),
     Column("Minutes worked", Kind.MINUTES), Column("EUR", Kind.MONEY)],
    [("=1+1 <b>", date(2026, 2, 1), datetime(2026, 2, 1, 9, 30, tzinfo=UTC), 90, 90, Decimal("-12.50")),
     ("http://desk.example", None, None, 1500, 0, Decimal("1E+3"))],
    totals=("Total", None, None, 1590, 90, Decimal("987.50")),
)  # fmt: skip
NS = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def cells_of(book: bytes) -> list[dict[str, tuple[str, str]]]:
    """Return, for each row of the first worksheet, the type and the text of each cell, by its column letter.

    Fail if the worksheet has a formula or a link.
    """
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        page = etree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    assert page.findall(".//s:f", NS) == []
    assert page.findall(".//s:hyperlink", NS) == []
    return [
        {re.sub(r"[0-9]", "", cell.get("r")): (cell.get("t", "n"), "".join(cell.itertext())) for cell in row.findall("s:c", NS)}
        for row in page.findall(".//s:row", NS)
    ]  # fmt: skip


def test_a_workbook_has_real_numbers_dates_and_durations_and_no_formula() -> None:
    """D55, R63: in Excel, 1 Feb 2026 is day 46054, 1:30 h are 0.0625 of a day, and text stays text, without a link."""
    head, first, second = cells_of(write("xlsx", EVERY_KIND))
    assert [text for _, text in head.values()] == [column.name for column in EVERY_KIND.columns]
    assert first["A"] == ("inlineStr", "=1+1 <b>")
    assert [first[column] for column in "BDEF"] == [("n", "46054"), ("n", "0.0625"), ("n", "90"), ("n", "-12.50")]
    assert second == {
        "A": ("inlineStr", "http://desk.example"),
        "D": ("n", "1.041666666666667"),
        "E": ("n", "0"),
        "F": ("n", "1E+3"),
    }
    *_, totals = cells_of(write("xlsx", EVERY_KIND, totals=True))
    assert totals["E"] == ("n", "90")


def test_xml_names_its_elements_after_the_columns() -> None:
    """D55: in XML, the elements of cells are named after the columns, and an empty cell has no element.

    Dates are ISO 8601, and numbers have a decimal point.
    """
    root = etree.fromstring(write("xml", EVERY_KIND, totals=True))
    assert (root.tag, root.get("title"), [child.tag for child in root]) == (
        "sheet",
        "July & August",
        ["row", "row", "totals"],
    )
    assert {cell.tag: cell.text for cell in root[0]} == {
        "who": "=1+1 <b>", "day": "2026-02-01", "at": "2026-02-01T09:30:00+00:00", "worked": "90", "minutes_worked": "90", "eur": "-12.50",
    }  # fmt: skip
    assert "day" not in {cell.tag for cell in root[1]}


@pytest.mark.parametrize("format", ["xlsx", "xml"])
@given(text=st.text(st.characters(exclude_characters="\r")))
def test_every_text_is_read_again_without_what_xml_forbids(format: str, text: str) -> None:
    """D55: XLSX and XML files leave out what XML forbids or readers choke on, and keep every other character of a text.

    They leave out U+007F, lone surrogates, U+FFFE, U+FFFF and the control characters before U+0020 except tab, newline
    and carriage return. No text here has a carriage return, because XML readers turn it into a newline.
    """
    written = write(format, Sheet("S", [Column("a"), Column("b", Kind.NUMBER)], [[text, 1]]))
    kept = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]", "", text)
    if format == "xml":
        found = etree.fromstring(written)[0][0].text or ""
    else:
        found = cells_of(written)[1].get("A", ("", ""))[1]
        kept = re.sub(r"(_x[0-9A-Fa-f]{4}_)", lambda match: f"_x005F{match[0]}", kept)
    assert found == kept


def test_a_clock_in_a_csv_is_read_by_people() -> None:
    assert read(write_csv(EVERY_KIND))[1][3:5] == ["1:30", "90"]
    assert read(write_csv(EVERY_KIND))[2][3] == "25:00"


def test_an_unknown_format_is_an_error_of_ours() -> None:
    with pytest.raises(ValueError, match="pdf"):
        write("pdf", EVERY_KIND)


@pytest.mark.parametrize("name", ["CON", "..", ".htaccess", "a/b\\c:d", "x" * 300 + ".log", "n\u00e9.txt"])
def test_names_in_a_zip_file_are_safe_and_unique(name: str) -> None:
    """R54: no name in a ZIP file leads out of the folder, is hidden, reserved or too long, or equals another name."""
    made = member_name(7, name)
    assert made.startswith("007-")
    assert made != member_name(8, name)
    assert not set(made) & set('\\/:*?"<>|\0')
    assert len(made.encode()) <= 200
