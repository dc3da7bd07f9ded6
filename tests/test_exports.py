"""Test CSV exports: no spreadsheet program runs their cells as formulas (D55, R62)."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.exports import Column, Kind, Sheet, harmless, write_csv

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
@settings(deadline=None)
def test_every_text_is_read_again_and_no_cell_starts_a_formula(rows: list[list[str]], separator: str) -> None:
    found = read(write_csv(Sheet("S", [Column("a"), Column("b")], rows), separator), separator)[1:]
    assert found == [[harmless(cell) for cell in row] for row in rows]
    assert not [c for row in found for c in row if c.lstrip()[:1] in ("=", "+", "@") or c[:1] in ("\t", "\r")]
