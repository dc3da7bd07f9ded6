"""Test the values that several packages, forms and pages share, and their words."""

import re
from pathlib import Path

from portal.durations import Rounding, RoundingMode
from portal.timekeeping.preview import words_of
from portal.words import CHOICES, EntryBilling, EntryState, Rollup, Settlement


def test_every_member_has_words_of_its_own() -> None:
    for words in (Settlement, Rollup, EntryBilling, EntryState, RoundingMode):
        assert len({member.word for member in words}) == len(words), words
        assert all(member.word[0].isupper() and "_" not in member.word for member in words), words


def test_forms_offer_each_choice_once_under_its_word() -> None:
    assert CHOICES["rollup"] == [("service", "Service"), ("role", "Role"), ("resource", "Agent"), ("none", "Entry")]
    assert CHOICES["rounding_mode"] == [("up", "Up"), ("nearest", "To the nearest"), ("down", "Down")]
    assert dict(CHOICES["billing"]) == {member.value: member.word for member in EntryBilling}


def test_a_sentence_and_a_form_name_the_way_of_rounding_alike() -> None:
    for mode in RoundingMode:
        assert words_of(Rounding(0, 15, mode)) == f"Rounded {mode.phrase} 15\u00a0min."
        assert mode.phrase.startswith(mode.word.lower())


def test_everything_says_custom_field_and_not_own_field() -> None:
    """Code, pages and documents call a field that an admin adds to cases a custom field, as CONTRIBUTING.md says.

    Migrations are left out, because a migration that has run is never edited.
    """
    root = Path(__file__).parent.parent
    files = [
        path for name in ("portal", "templates", "static/js", "docs", "tests") for path in (root / name).rglob("*.*")
    ]
    texts = [path for path in [*files, *root.glob("*.md")] if path.suffix in (".py", ".html", ".txt", ".js", ".md")]
    wrong = re.compile(r"(?i)(?<!its )(?<!says_)\bown[ _-]fields?\b")
    assert [str(path.relative_to(root)) for path in texts if wrong.search(path.read_text())] == []


def test_texts_say_mail_and_not_email() -> None:
    """Templates say "mail" and not "email", as *Words* of CONTRIBUTING.md asks; `email` is only the name of a field."""
    folder = Path(__file__).parent.parent / "templates"
    texts = {path: re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.DOTALL) for path in folder.rglob("*.*")}
    wrong = {path.name: re.findall(r"(?i)\be-mails?\b|[>\"] ?emails?\b[ <]", text) for path, text in texts.items()}
    assert {name: words for name, words in wrong.items() if words} == {}
