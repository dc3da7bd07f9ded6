"""Remove invisible characters from text, except those that change how a word or an emoji looks (R54)."""

import re
import unicodedata

_FLAG = re.compile("(\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f)")
"""Matches the flag of a region, such as Scotland: a black flag followed by a code in invisible tag characters."""
_JOINER = re.compile("[\u200c\u200d]")
_FILLERS = set("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Characters that Unicode classifies as letters or marks although they are invisible."""
_KEPT = set("\n\t\u200c\u200d")


def visible(text: str) -> str:
    """Return the text without control characters, bidirectional controls and other invisible characters.

    Line breaks and tabs stay; other white space becomes spaces. The zero-width joiner and non-joiner stay between
    letters, marks and emoji, where they decide how a word or an emoji looks. The invisible characters in the flag of a
    region, such as Scotland, stay too. A second call changes nothing.
    """
    if text.isprintable() and _FILLERS.isdisjoint(text):
        return text
    parts = _FLAG.split(text)
    parts[::2] = ["".join(map(_shown, part)) for part in parts[::2]]
    cleaned = "".join(parts)
    return _JOINER.sub(lambda joiner: joiner[0] if _joins(cleaned, joiner.start()) else "", cleaned)


def _shown(letter: str) -> str:
    if letter in _KEPT:
        return letter
    if letter.isspace():
        return " "
    return letter if (letter.isprintable() or _is_to_come(letter)) and letter not in _FILLERS else ""


def _is_to_come(letter: str) -> bool:
    """Return whether a newer version of Unicode than Python's may define this character, such as a new emoji.

    Noncharacters and code points reserved for invisible characters do not count.
    """
    code = ord(letter)
    reserved = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF or code in range(0xE0000, 0xE1000)
    return unicodedata.category(letter) == "Cn" and not reserved and code not in (0x2065, *range(0xFFF0, 0xFFF9))


def _joins(text: str, at: int) -> bool:
    """Return whether the joiner at the position `at` affects how the text looks.

    A joiner at the end of a word does so only after a virama, as in Bengali.
    """
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return _is_joined(before) and (_is_joined(after) or unicodedata.combining(before) == 9)


def _is_joined(letter: str) -> bool:
    category = unicodedata.category(letter) if letter else ""
    return category[:1] in ("L", "M") or category in ("Nd", "So", "Sk", "Cn")
