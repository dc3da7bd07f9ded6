"""Test that invisible characters are removed from texts, except those that decide how a word or an emoji looks."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.desk.files.filetypes import check_file
from portal.desk.messages import Writing
from portal.fields import line
from portal.visible import visible

SHOWN = (
    "می\u200cخواهم", "क्\u200dष", "ক্\u200d", "👨\u200d👩\u200d👧", "🏳\ufe0f\u200d🌈", "🧑🏽\u200d💻",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "Auf\u200clage", "株式会社", "Zoë", "e\u0301", "\U0001fae8", "one\n\ttwo",
)  # fmt: skip


@pytest.mark.parametrize("text", SHOWN)
def test_joiners_inside_words_and_emoji_stay(text: str) -> None:
    assert visible(text) == text
    assert Writing(text).text == text


@pytest.mark.parametrize("text", [one for one in SHOWN if "\n" not in one])
def test_names_and_names_of_files_follow_the_same_rule(text: str) -> None:
    """Names and file names keep the zero-width joiners that shape a word or an emoji, and are stored in Unicode form NFC."""
    assert line(text) == unicodedata.normalize("NFC", text)
    assert check_file(f"{text}.txt", b"words")[0] == unicodedata.normalize("NFC", f"{text}.txt")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("zo\u200be", "zoe"),
        ("\u202egpj.exe", "gpj.exe"),
        ("Zei\u00adle", "Zeile"),
        ("\x1b[31mred", "[31mred"),
        ("\u200dstart and end\u200c", "start and end"),
        ("a \u200d b", "a  b"),
        ("a\u200d\u200db", "ab"),
        ("x.\u200cy", "x.y"),
        ("\u3164\uffa0", ""),
        ("\ufeffBOM", "BOM"),
        ("a\u00a0b\u2028c\rd", "a b c d"),
        ("\ud800\uffff\U000e0041\ue000", ""),
        ("\u2066isolated\u2069\u200f", "isolated"),
    ],
)
def test_what_is_invisible_elsewhere_goes(text: str, shown: str) -> None:
    """R54: an invisible character that joins nothing is removed."""
    assert visible(text) == shown
    assert Writing(text).text == shown


@given(
    st.text(
        st.one_of(
            st.sampled_from("a\u0301 \u200c\u200d\u200b\u202e👩\ufe0f🏴\U000e0067\U000e007f\u3164\n"), st.characters()
        ),
        max_size=12,
    )
)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert visible(visible(text)) == visible(text)
