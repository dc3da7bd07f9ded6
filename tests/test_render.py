"""Test the formatting of values on pages, the charts, and the cleaning of the text that people write."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from jinja2 import UndefinedError

from portal import render as rendering
from portal.render import ENVIRONMENT, drawings, formats, markdown, message_html, render, static

NOW = datetime(2026, 11, 20, 13, 5, tzinfo=UTC)
NB = "\N{NO-BREAK SPACE}"


@dataclass
class Somebody:
    """A reader with only the two attributes that the formatting filters use."""

    locale: str = "en_GB"
    time_zone: str = "Europe/Berlin"


def shown(source: str, reader: Somebody | None = None, **values: object) -> str:
    """Return what a template with this source shows to this reader."""
    with formats.reading(reader or Somebody(), None, NOW):
        return ENVIRONMENT.from_string(source).render(values)


# --- Formats


@pytest.mark.parametrize(
    ("value", "currency", "bare", "whole"),
    [
        ("2550.47", "EUR", "2,550.47", "€2,550.47"),
        ("-5", "EUR", "−5.00", "−€5.00"),
        ("0", "EUR", "0.00", "€0.00"),
        ("255000", "JPY", "255,000", "JP¥255,000"),
        ("5.125", "KWD", "5.125", f"KWD{NB}5.125"),
    ],
)
def test_money_has_its_currency_s_decimals_and_a_true_minus(value: str, currency: str, bare: str, whole: str) -> None:
    assert shown("{{ x | amount(c) }}", x=Decimal(value), c=currency) == bare
    assert shown("{{ x | money(c) }}", x=Decimal(value), c=currency) == whole


def test_money_follows_the_reader_s_form_of_numbers() -> None:
    german = Somebody(locale="de_DE")
    assert shown("{{ x | money('EUR') }}", german, x=Decimal("2550.47")) == f"2.550,47{NB}€"
    assert shown("{{ x | amount('EUR') }}", german, x=Decimal("2550.47")) == "2.550,47"


def test_nothing_is_a_dash() -> None:
    source = "{{ x|amount('EUR') }} {{ x|money('EUR') }} {{ x|clock }} {{ x|spoken }} {{ x|day }} {{ x|moment }} {{ x|number }} {{ x|percent }}"
    assert set(shown(source, x=None).split()) == {"–"}


@pytest.mark.parametrize(
    ("minutes", "column", "sentence"),
    [
        (90, "1:30", f"1{NB}h{NB}30{NB}min"),
        (45, "0:45", f"45{NB}min"),
        (420, "7:00", f"7{NB}h"),
        (0, "0:00", f"0{NB}min"),
        (-90, "−1:30", f"−1{NB}h{NB}30{NB}min"),
    ],
)
def test_minutes_are_a_clock_in_columns_and_words_in_sentences(minutes: int, column: str, sentence: str) -> None:
    assert shown("{{ m | clock }}", m=minutes) == column
    assert shown("{{ m | spoken }}", m=minutes) == sentence


@pytest.mark.parametrize(
    ("at", "moment", "ago"),
    [
        (datetime(2026, 11, 20, 13, 4, 40, tzinfo=UTC), f"today{NB}14:04", "just now"),
        (datetime(2026, 11, 20, 13, 1, tzinfo=UTC), f"today{NB}14:01", f"4{NB}min"),
        (datetime(2026, 11, 20, 9, 50, tzinfo=UTC), f"today{NB}10:50", f"3{NB}h"),
        (datetime(2026, 11, 19, 15, 40, tzinfo=UTC), f"yesterday{NB}16:40", "yesterday"),
        (datetime(2026, 11, 17, 7, 12, tzinfo=UTC), f"Tue 17{NB}Nov, 08:12", f"Tue{NB}17"),
        (datetime(2026, 9, 1, 7, 12, tzinfo=UTC), f"Tue 1{NB}Sep, 09:12", f"1{NB}Sep"),
        (datetime(2025, 11, 17, 7, 12, tzinfo=UTC), f"17{NB}Nov 2025, 08:12", f"17{NB}Nov 2025"),
        (datetime(2026, 11, 21, 9, 10, tzinfo=UTC), f"tomorrow{NB}10:10", f"tomorrow{NB}10:10"),
    ],
)
def test_instants_are_said_as_people_say_them(at: datetime, moment: str, ago: str) -> None:
    assert shown("{{ at | moment }}", at=at) == moment
    assert shown("{{ at | ago }}", at=at) == ago


def test_an_instant_belongs_to_the_reader_s_day() -> None:
    late = datetime(2026, 11, 19, 23, 30, tzinfo=UTC)
    assert shown("{{ at | moment }}", at=late) == f"today{NB}00:30"
    assert shown("{{ at | moment }}", Somebody(time_zone="America/New_York"), at=late) == f"yesterday{NB}18:30"
    assert shown("{{ at | iso_day }}", at=late) == "2026-11-20"


def test_days_have_their_year_where_it_is_not_this_one_and_on_everything_legal() -> None:
    assert shown("{{ d | day }}", d=date(2026, 11, 19)) == f"Thu 19{NB}Nov"
    assert shown("{{ d | day }}", d=date(2027, 1, 4)) == f"4{NB}Jan 2027"
    assert shown("{{ d | day_long }}", d=date(2026, 12, 4)) == f"4{NB}Dec 2026"


def test_a_time_carries_its_instant_and_its_full_form() -> None:
    at = datetime(2026, 11, 20, 12, 47, tzinfo=UTC)
    assert shown("{{ at | stamp }}", at=at) == (
        f'<time datetime="2026-11-20T12:47:00Z" title="20{NB}Nov 2026, 13:47 CET">today{NB}13:47</time>'
    )


@pytest.mark.parametrize(
    ("octets", "words"),
    [(12, f"12{NB}B"), (184_000, f"184{NB}kB"), (1_210_000, f"1.2{NB}MB"), (26_000_000, f"26{NB}MB")],
)
def test_file_sizes_are_short(octets: int, words: str) -> None:
    assert shown("{{ n | filesize }}", n=octets) == words


def test_quantities_and_rates_keep_their_unit() -> None:
    assert shown("{{ q | number }}", q=Decimal("12.2500")) == "12.25"
    assert shown("{{ q | percent }}", q=Decimal("19")) == f"19{NB}%"
    assert shown("{{ plural(1, 'case') }}, {{ plural(2, 'entry', 'entries') }}") == f"1{NB}case, 2{NB}entries"


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Ada Lindqvist", "AL"), ("Cher", "C"), ("Ana María de la Cruz", "AC"), ("", "?"), ("(ext) Bo Ek", "BE")],
)
def test_initials_are_of_the_first_and_the_last_name(name: str, letters: str) -> None:
    assert formats.initials(name) == letters


# --- Drawings


def test_a_pie_shows_the_used_share() -> None:
    assert 'class="fill"' not in drawings.pie(0)
    assert drawings.pie(1).count("<circle") == 2
    assert " 0 0 1 " in drawings.pie(0.25)
    assert " 0 1 1 " in drawings.pie(0.75)


def test_a_meter_never_passes_its_whole() -> None:
    over = drawings.meter(60, used=60, pending=60)
    assert 'x="50.00%" width="50.00%"' in over
    assert 'fill="url(#hatch-pending)"' in over
    assert "NaN" not in drawings.meter(0)


def test_drawings_need_no_style_attribute_and_escape_names() -> None:
    """R39, R45: drawings such as avatars and charts have no style attribute, and the names in them are escaped."""
    svg = (
        drawings.avatar('<script> "b', ours=True)
        + drawings.meter(5, used=1)
        + drawings.mark()
        + drawings.bars(4)
        + drawings.ring("paused")
    )
    assert "style=" not in svg
    assert "<script" not in svg


def test_the_style_sheet_draws_every_sign() -> None:
    sheet = (rendering.folder("static") / "css" / "components.css").read_text()
    signs = "".join([*map(drawings.ring, drawings.STATUSES), *map(drawings.bars, drawings.PRIORITIES)])
    names = re.findall(r'class="\w+ ([a-z-]+)"', signs)
    assert len(names) == 11
    drawn = re.findall(r"\.((?:ring|bars)-[a-z-]+)(?=[^{}\n]*\{ --sign: url\()", sheet)
    assert sorted(drawn) == sorted(names)


def test_the_shapes_of_an_icon_stay_where_they_are_in_their_short_form() -> None:
    """Adjacent paths of an icon are joined into one, and the shapes stay where they are.

    A relative move at the beginning of a path becomes an absolute one, and the lines after it stay relative.
    """
    assert shown("{{ icon('menu') }}").count("<path") == 1
    assert 'd="M4 5h16M4 12h16M4 19h16"' in shown("{{ icon('menu') }}")
    sun = shown("{{ icon('sun') }}")
    assert '<path d="M12 2v2M12 20v2M4.93 4.93l1.41 1.41M17.66' in sun


@pytest.mark.parametrize("name", ["clock", "x", "triangle-alert"])
def test_an_icon_is_decoration_unless_it_has_a_label(name: str) -> None:
    assert 'aria-hidden="true"' in shown("{{ icon(n) }}", n=name)
    assert 'role="img" aria-label="a &#34;b"' in shown("{{ icon(n, 'a \"b') }}", n=name)


# --- Rendering


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("shared/_toast.html")


def test_static_addresses_change_with_their_content() -> None:
    address = static("style.css")
    assert address.startswith("/static/style.css?v=")
    assert address.rpartition("=")[2] != static("script.js").rpartition("=")[2]


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 418, 422, 429, 500, 502, 503])
def test_an_error_page_needs_nothing_but_its_status(status: int) -> None:
    page = render("errors/error.html", status=status)
    assert f">{status}<" in page
    assert "Go to sign-in" in page


def test_values_are_escaped_where_they_are_typed_back() -> None:
    """R45: a value is escaped when a form shows it again."""
    nasty = '"><img src=x onerror=alert(1)>'
    source = (
        '{% import "shared/forms.html" as f with context %}{{ f.csrf_field() }}{{ f.errors_panel() }}'
        '{{ f.text("email", "Email") }}{{ f.textarea("email", "Text") }}'
    )
    page = shown(source, csrf=nasty, errors={"email": nasty}, typed={"email": nasty})
    assert "<img" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") == 6


# --- What people write (R40, R46, R47)

PAYLOADS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    '<img src="https://evil.example/pixel.gif">',
    "![pixel](https://evil.example/pixel.gif)",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<a href=javascript:alert(1)>x</a>",
    '<a href="jav&#x09;ascript:alert(1)">x</a>',
    '<a href=" &#14; javascript:alert(1)">x</a>',
    "<a href='data:text/html;base64,PHNjcmlwdD4='>x</a>",
    "<a href=vbscript:msgbox(1)>x</a>",
    "<a href=//evil.example>x</a>",
    "<a href=/sign-out>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html,hi)",
    "[x](vbscript:msgbox)",
    "<javascript:alert(1)>",
    "<b hx-get=/x hx-trigger=load>b</b>",
    "<b data-hx-get=/x>b</b>",
    "<p id=main name=csrf class=button style='position:fixed;inset:0'>p</p>",
    "<form action=//evil.example><input name=password><button form=x formaction=//evil.example>b</button></form>",
    "<base href=//evil.example>",
    "<link rel=stylesheet href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<style>body{display:none}</style>",
    "<details open ontoggle=alert(1)>",
    "<template><img src=x onerror=alert(1)></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<object data=x></object><embed src=x><video src=x onerror=alert(1)></video>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<p onclick=alert(1) onmouseover=alert(1)>p</p>",
    "`<img src=x onerror=alert(1)>`",
]
ALLOWED = {
    "<p>", "<br>", "<hr>", "<strong>", "<em>", "<b>", "<s>", "<del>", "<code>", "<pre>", "<blockquote>", "<ul>", "<ol>", "<li>", "<a>",
}  # fmt: skip


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_that_acts_comes_through(payload: str) -> None:
    """R40, R46, R47: of typed HTML, only harmless tags and links with safe URLs remain."""
    for html in (markdown(payload), rendering.prose.cleaned(payload)):
        tags = re.findall(r"<(/?)([a-z0-9]+)([^>]*)>", html)
        assert {f"<{name}>" for _, name, _ in tags} <= ALLOWED, html
        for _, name, attributes in tags:
            if attributes.strip():
                assert name == "a", html
                assert re.fullmatch(
                    r'( href="(https?|mailto):[^"]*")? rel="noopener noreferrer nofollow"', attributes
                ), html
        assert not re.search(r"<[^>]*(on\w+=|hx-|style=|javascript:)", html)


def test_html_in_a_message_is_shown_as_it_was_typed() -> None:
    assert markdown("<b>bold?</b> & co") == "<p>&lt;b&gt;bold?&lt;/b&gt; &amp; co</p>"


def test_markdown_that_people_use_works() -> None:
    html = markdown(
        "**bold** words\nnext line\n\n- one\n- two\n\n3. three\n\n`code`\n\n> said\n\n[site](https://a.example/x?a=1)"
    )
    for part in (
        "<strong>bold</strong> words<br>",
        "<li>one</li>",
        '<ol start="3">',
        "<code>code</code>",
        "<blockquote>",
    ):
        assert part in html, part
    assert '<a href="https://a.example/x?a=1" rel="noopener noreferrer nofollow">site</a>' in html
    assert "<td>1</td>" in markdown("|a|b|\n|-|-|\n|1|2|")


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("see https://a.example/x?a=1&b=2, then", ["https://a.example/x?a=1&amp;b=2"]),
        ("(in https://a.example/A_(B)).", ["https://a.example/A_(B)"]),
        ("HTTPS://A.example! **http://b.example/c_d_e**", ["HTTPS://A.example", "http://b.example/c_d_e"]),
        ("https://xn--80ak6aa92e.com", ["https://xn--80ak6aa92e.com"]),
        ("`https://a.example` backup.sh 10.0.0.1 www.a.example ftp://a.example javascript:alert(1) https://", []),
        ("[words](https://a.example/https://b.example)", ["https://a.example/https://b.example"]),
        ('https://a.example/"onclick=1 https://b.example/<script>', ["https://a.example/", "https://b.example/"]),
    ],
)
def test_an_address_in_a_message_is_a_link_as_it_was_typed(text: str, linked: list[str]) -> None:
    """R46, R47: a URL typed with its scheme becomes a link to exactly the URL that is shown."""
    html = markdown(text)
    assert re.findall(r'<a href="([^"]*)"', html) == linked
    assert all(f">{address}</a>" in html for address in linked) or "words" in text


def test_a_case_number_at_the_start_of_a_line_is_no_heading() -> None:
    assert markdown("# 1042 again\n#1042 too") == "<p># 1042 again<br>\n#1042 too</p>"


def test_a_stored_message_is_cleaned_again_and_closed_to_htmx() -> None:
    """R40, R46: a stored message is cleaned again whenever it is shown, and htmx ignores attributes inside it."""
    assert message_html('<p hx-get="/x">Hi<script>x</script></p>') == '<div class="prose" hx-ignore><p>Hi</p></div>'


def test_cleaning_twice_changes_nothing() -> None:
    once = rendering.prose.cleaned("<p>a &lt;b&gt; <a href='https://a.example/?a=1&b=2'>x</a></p>")
    assert rendering.prose.cleaned(once) == once


def test_a_quotation_has_the_words_without_the_marks() -> None:
    """The plain text of a message is one line of its words, without formatting marks."""
    text = "Hello **Ada**,\n\n1. open `vpn.conf`\n2. [read this](https://a.example/)\n\n> quoted\nand **so** on"
    assert rendering.plain(text) == "Hello Ada, 1. open vpn.conf · 2. read this · quoted · and so on"


def test_events_of_several_kinds_stand_in_order_of_time() -> None:
    """Events are sorted by their instants. An event with only a date comes last on that day in the reader's zone."""
    late, early = {"at": datetime(2026, 11, 20, 23, 30, tzinfo=UTC)}, {"at": datetime(2026, 11, 20, 9, tzinfo=UTC)}
    between, paid = {"seen_at": datetime(2026, 11, 20, 12, tzinfo=UTC)}, {"paid_on": date(2026, 11, 20)}
    with formats.reading(Somebody(time_zone="Europe/Berlin"), None, NOW):
        found = formats.in_order(("at", [early, late]), ("seen_at", [between]), ("paid_on", [paid]))
    assert found == [early, between, paid, late]
