"""Find characters that documents cannot show: PDF/A forbids a character that no font in `static/vendor/ttf` has.

Such a character is printed as `SIGN`, and the form in which somebody types it shows a note. The build writes a list of
the characters that the fonts have into the file `letters.txt` beside the fonts.
"""

import re
import unicodedata
from functools import cache
from typing import Any

from portal import render

SIGN = "\N{WHITE SQUARE}"
"""The character that is printed in place of any character that no font has. The font Inter has this sign."""

_JOINER = "\N{ZERO WIDTH JOINER}"
_SILENT = "\ufe00-\ufe0f\u20e3\U000e0020-\U000e007f\U000e0100-\U000e01ef"
"""Variation selectors, the keycap and tags: they modify the letter before them and are not seen on their own."""

_NON_JOINER = "\N{ZERO WIDTH NON-JOINER}"
_SKIN = "\U0001f3fb-\U0001f3ff"
_SHOWN_AT_MOST = 5
"""The maximum number of characters that a note names; a longer note would move the form on the page."""


@cache
def _missing() -> re.Pattern[str]:
    """Return a pattern that matches one character that no font has.

    The match includes the modifiers of the character and the characters that are joined to it. So the emoji of a family
    of four is one match.
    """
    lines = (render.folder("static") / "vendor" / "ttf" / "letters.txt").read_text().split()
    ranges = ((int(start, 16), int(end, 16)) for start, end in (line.split("-") for line in lines))
    known = "".join(f"\\U{start:08x}-\\U{end:08x}" for start, end in ranges)
    letter = f"[^{known}\n{_JOINER}{_NON_JOINER}{_SILENT}][{_SKIN}{_SILENT}]*"
    return re.compile(f"{letter}(?:{_JOINER}{letter})*")


@cache
def _silent() -> re.Pattern[str]:
    return re.compile(f"[{_SILENT}]")


def printable(text: str) -> str:
    """Return the text as a document can show it: without control and format characters, with `SIGN` for missing glyphs.

    Line feeds stay, other white space becomes spaces. Zero-width joiners and non-joiners stay, because they change the
    appearance of the letters beside them.
    """
    return _silent().sub("", _missing().sub(SIGN, _shown(text)))


def unprintable(text: str) -> list[str]:
    """Return the characters of the text that `printable` replaces by `SIGN`, each once, in the order of the text."""
    return list(dict.fromkeys(_missing().findall(_shown(text))))


def printing_note(text: object) -> str:
    """Return a note for a form that names the characters of `text` that documents cannot show; "" if there are none."""
    missing = [_named(letter) for letter in unprintable(str(text))]
    if not missing:
        return ""
    more = len(missing) - _SHOWN_AT_MOST
    named = missing if more <= 0 else [*missing[:_SHOWN_AT_MOST], f"{more} more"]
    words = f"{', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else named[0]
    return f"Invoices show {SIGN} instead of {words}, because their fonts do not have {'it' if len(missing) == 1 else 'them'}."


def printable_data(data: Any) -> Any:
    """Return the data of a document with `printable` applied to every text in it, at any depth."""
    if isinstance(data, str):
        return printable(data)
    if isinstance(data, dict):
        return {key: printable_data(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [printable_data(value) for value in data]
    return data


def _shown(text: str) -> str:
    return "".join(letter if _is_shown(letter) else " " if letter.isspace() else "" for letter in text)


def _is_shown(letter: str) -> bool:
    return letter in _KEPT or unicodedata.category(letter) not in ("Cc", "Cf", "Zl", "Zp")


_KEPT = frozenset(("\n", _JOINER, _NON_JOINER, *map(chr, range(0xE0020, 0xE0080))))


def _named(letter: str) -> str:
    """Return the character, or its code point such as U+0007 if a page cannot show the character either."""
    return letter if letter[0].isprintable() else f"U+{ord(letter[0]):04X}"
