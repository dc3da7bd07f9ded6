"""Mark the words of a search in a text, and cut the piece with these words out of a message."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from portal.desk.search.asked import Part
from portal.folding import folded

LONGEST = 180
"""The maximum number of characters of an excerpt."""
_BEFORE = 50
"""The maximum number of characters before the first marked word of an excerpt."""
_WORD = re.compile(
    "[\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]|[^\\W_\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]+"
)
_MARKDOWN = re.compile(r"[*`]+|^[#>]+ ", re.MULTILINE)


class Piece(NamedTuple):
    """A piece of a text. `is_marked` says whether it is a word of the search."""

    text: str
    is_marked: bool


def marked(text: str, parts: Sequence[Part]) -> list[Piece]:
    """Return the text as pieces, and mark those that are words of the search. Joined, the pieces are the text."""
    exact = {word for part in parts for word in part.words}
    beginnings = tuple(part.words[-1] for part in parts if part.is_beginning)
    pieces, end = list[Piece](), 0
    for match in _WORD.finditer(text):
        word = folded(match[0])
        if word in exact or (beginnings and word.startswith(beginnings)):
            pieces += [Piece(text[end : match.start()], False), Piece(match[0], True)]
            end = match.end()
    return [piece for piece in (*pieces, Piece(text[end:], False)) if piece.text]


def excerpt(text: str, parts: Sequence[Part]) -> list[Piece]:
    """Cut the text around the first word of the search out of a message, and return it as pieces (see `marked`).

    This excerpt is one line without Markdown. It has at most `LONGEST` characters, not counting a "…" at its ends.
    """
    plain = " ".join(_MARKDOWN.sub("", text).split())
    first = marked(plain, parts)[0] if plain else Piece("", True)
    before = 0 if first.is_marked or first.text == plain else len(first.text)
    start = 0 if before <= _BEFORE else plain.rfind(" ", 0, before - _BEFORE) + 1
    end = (
        len(plain)
        if len(plain) - start <= LONGEST
        else max(plain.rfind(" ", start, start + LONGEST), start + LONGEST // 2)
    )
    cut = ("… " if start else "") + plain[start:end] + (" …" if end < len(plain) else "")
    return marked(cut, parts)
