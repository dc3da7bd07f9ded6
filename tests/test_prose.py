"""Test that text with technical signs is shown as typed: paths, masks, arithmetic and entities get no formatting."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.render import markdown, plain

TECHNICAL = (
    r"\\fs01\daten\_alt\*.log", "C:\\>", r"C:\Users\_x_\~tmp\**\*.bak", "5*6*7", "2**3**4", "a ** b", "__init__", "_alt_", "__all__.py",
    "*.log,", "*.tmp", "**/*.log", "src/**/x/**", "~~", "~/.ssh", "&lt;b&gt;", "&amp;", "&copy;", "<b>", "</td>",
    "Ada <ada@acme.example>", "row[i](x)", "[error]:", "![x](y.png)", "f(*a, **b)", "**kwargs", "$HOME", "%TEMP%", "x|y",
    "`", "C#", "#1042", "a_b_c", "\\", "\\*", "\\_", "\\\\", "°", "Straße", "(", ")",
    "‹a›", "100 %", "=", "1.5", "v2.", "10.0.0.1", "*", "**", "***", "_", "x*", "*y",
)  # fmt: skip
"""Pieces of technical text whose signs must not be read as formatting."""


def visible(html: str) -> str:
    """Return the text that a browser shows for the HTML, with one blank for each run of blanks."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " " if "<br>" in html else "", html)).split())


lines = st.lists(st.sampled_from(TECHNICAL), min_size=1, max_size=6).map(lambda pieces: "see " + " ".join(pieces))


def without_pairs_of_backticks(text: str) -> bool:
    return text.count("`") < 2


@given(st.lists(lines, min_size=1, max_size=4).map("\n".join).filter(without_pairs_of_backticks))
def test_text_without_formatting_is_shown_as_it_was_typed(text: str) -> None:
    html = markdown(text)
    assert visible(html) == " ".join(text.split())
    assert set(re.findall(r"<([a-z0-9]+)", html)) <= {"p", "br"}
    assert plain(text) == " ".join(text.split())


@given(st.text(st.sampled_from("ab1 *_\\~&;<>[]()!.:|/\n-"), max_size=40))
def test_no_letter_is_lost_whatever_the_marks_around_it(text: str) -> None:
    """Formatting marks may disappear, but all letters and digits of a text are shown in their order."""
    letters = re.sub(r"[^ab1]", "", text)
    html = re.sub(r'<li value="(\d+)">', r"\1", markdown(text))
    assert re.sub(r"[^ab1]", "", unescape(re.sub(r"<[^>]*>", "", html))) == letters
    assert re.sub(r"[^ab1]", "", plain(text)) == letters


@pytest.mark.parametrize("text", TECHNICAL)
def test_each_piece_survives_at_the_start_of_a_line_too(text: str) -> None:
    assert visible(markdown(text)) == text
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("> said\nmine", "<blockquote>\n<p>said</p>\n</blockquote>\n<p>mine</p>"),
        ("- one\nanew", "<ul>\n<li>one</li>\n</ul>\n<p>anew</p>"),
        ("- one\n  of it", "<ul>\n<li>one<br>\nof it</li>\n</ul>"),
        ("> - one\n> two\nanew", "<blockquote>\n<ul>\n<li>one</li>\n</ul>\n<p>two</p>\n</blockquote>\n<p>anew</p>"),
        ("> said\n> more", "<blockquote>\n<p>said<br>\nmore</p>\n</blockquote>"),
    ],
)
def test_a_line_under_a_quote_or_a_list_is_part_of_it_only_where_it_says_so(text: str, html: str) -> None:
    assert markdown(text) == html


def test_a_line_under_a_table_is_no_row_of_it() -> None:
    assert markdown("|a|b|\n|-|-|\n|1|2|\nanew").endswith("</table>\n<p>anew</p>")


@pytest.mark.parametrize(
    "text", ["* * * * * backup.sh", "+ added", "***", "____", "~~~\nno code\n~~~", "[error]: disk full"]
)
def test_what_only_looks_like_formatting_is_text(text: str) -> None:
    assert visible(markdown(text)) == " ".join(text.split())


@pytest.mark.parametrize(
    "text",
    ["**bold**", "(**bold**)", "**Note:** it", "**a**, **b**", "これは**重要**です", "**so `c` on**", "**.env**"],
)
def test_bold_works_where_words_are_meant(text: str) -> None:
    assert "<strong>" in markdown(text)
    assert "*" not in markdown(text)


def test_a_numbered_list_keeps_the_numbers_that_were_typed() -> None:
    assert re.findall(r'value="(\d+)"', markdown("1. one\n3. three\n5. five")) == ["1", "3", "5"]
    assert plain("5. Dezember\n7. Januar") == "5. Dezember · 7. Januar"
    assert markdown("1) one\n2) two").startswith('<ol class="bracketed">')
    assert markdown("1. one\n2. two").startswith("<ol>")


def test_words_behind_three_backticks_are_not_lost() -> None:
    assert markdown("``` select 1\nfrom x ```") == "<p><code>select 1 from x</code></p>"
    assert markdown("```sql\nselect 1\n```") == "<pre><code>select 1\n</code></pre>"


@pytest.mark.parametrize("piece", ["**", "a ** ", "**a", "> - ", "* ", "[", "](", "`", "\\", "<", "&", "|-"])
def test_marks_that_are_opened_and_never_closed_are_read_in_time(piece: str) -> None:
    """R50: a message of 30,000 characters, the maximum, that consists of unclosed marks is parsed within two seconds."""
    import time

    began = time.process_time()
    markdown(piece * (30_000 // len(piece)))
    assert time.process_time() - began < 2
