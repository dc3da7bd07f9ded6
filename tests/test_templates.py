"""Test that templates fail on missing names, have short lines, and contain neither scripts nor inline styles."""

import re
from functools import cache
from pathlib import Path

from jinja2 import StrictUndefined, nodes

from portal.render import ENVIRONMENT
from tests.every import on_every

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
ALL = sorted(TEMPLATES.rglob("*.html"))
FRAGMENTS = [path for path in ALL if path.name.startswith("_")]


def name_of(path: Path) -> str:
    return str(path.relative_to(TEMPLATES))


def test_a_missing_name_is_an_error() -> None:
    assert ENVIRONMENT.undefined is StrictUndefined


def test_everything_but_the_text_of_mails_is_escaped() -> None:
    """R45: every template except the templates of plain-text mails escapes the values that it shows."""
    autoescape = ENVIRONMENT.autoescape
    assert callable(autoescape)
    plain = [path for path in TEMPLATES.rglob("*.*") if not autoescape(name_of(path))]
    assert sorted(plain) == sorted(TEMPLATES.glob("mail/*.txt"))
    assert autoescape(None)


@on_every(ALL)
def test_a_template_compiles_and_holds_no_script_or_style(path: Path) -> None:
    """R39, R40: each template compiles and needs neither `unsafe-inline` nor `unsafe-eval`.

    Mails have inline styles, because mail programs ignore style sheets.
    """
    text = path.read_text()
    ENVIRONMENT.get_template(name_of(path))
    if path.parent.name == "mail":
        text = text.replace(" style=", " ")
    assert not re.search(r"\sstyle=|\son[a-z]+=|hx-on|\bjs:|javascript:|hx-trigger=\"[^\"]*\[", text)


@on_every(FRAGMENTS)
def test_a_fragment_says_what_it_needs_and_is_included_by_a_page(path: Path) -> None:
    """Each fragment lists the values that it needs, and some page includes it."""
    text = path.read_text()
    assert re.match(r"\{#-? needs:", text)
    assert "{% extends" not in text
    name = name_of(path)
    if not any(re.search(rf"[\"']{re.escape(name)}[\"']", other) for of, other in texts().items() if of != path):
        assert name.startswith("errors/"), f"{name} is included nowhere"
        python = (TEMPLATES.parent / "portal").rglob("*.py")
        assert any(f'"{name}"' in module.read_text() for module in python), f"{name} is rendered nowhere"


@cache
def texts() -> dict[Path, str]:
    """Return the text of each template."""
    return {path: path.read_text() for path in ALL}


@on_every(ALL)
def test_every_form_that_changes_something_carries_the_token_first(path: Path) -> None:
    """R37: every form with the method POST contains the CSRF token."""
    for form in re.findall(r"<form\b[^>]*method=\"post\"[^>]*>(.*?)</form>", path.read_text(), re.S):
        assert re.search(r"csrf_field\(\)|name=\"csrf\"", form), form[:200]


@on_every(ALL)
def test_the_browser_refuses_no_address_on_its_own(path: Path) -> None:
    """Every form with a mail address field has `novalidate`, so that the portal and not the browser checks the value.

    Chromium would refuse a mail address with an invisible character, and its message cannot show that character.
    """
    for opening, form in re.findall(r"(<form\b[^>]*>)(.*?)</form>", path.read_text(), re.S):
        assert "novalidate" in opening or 'type="email"' not in form, opening


def test_every_include_exists() -> None:
    for path in ALL:
        tree = ENVIRONMENT.parse(path.read_text())
        for node in tree.find_all((nodes.Include, nodes.Extends, nodes.Import)):
            if isinstance(node.template, nodes.Const):
                assert (TEMPLATES / node.template.value).is_file(), f"{name_of(path)}: {node.template.value}"


@on_every(sorted(path for path in TEMPLATES.rglob("*.*") if path.is_file()))
def test_no_line_of_a_template_is_longer_than_120_characters(path: Path) -> None:
    long = [number for number, line in enumerate(path.read_text().splitlines(), start=1) if len(line) > 120]
    assert not long, f"break the lines {long} where white space does not show"
