"""Texts from every part of Unicode, each short enough for a one-line field and for a file name."""

import sys
import unicodedata

MARK = "zq"
"""The first letters of every text of the corpus. By them, a test finds where a text was stored or shown."""


def _of(*categories: str) -> str:
    return "".join(chr(code) for code in range(1, sys.maxunicode + 1) if unicodedata.category(chr(code)) in categories)


def _planes() -> str:
    """Return the first and the last assigned character of each Unicode plane, control characters and surrogates aside."""
    found = []
    for plane in range(17):
        codes = [
            code
            for code in range(plane << 16, (plane + 1) << 16)
            if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Cc")
        ]
        found += [chr(codes[0]), chr(codes[-1])] if codes else []
    return "".join(found)


def _in_pieces(name: str, text: str, length: int = 50) -> dict[str, str]:
    pieces = [text[start : start + length] for start in range(0, len(text), length)]
    return {f"{name} {number}": f"{MARK}{piece}z" for number, piece in enumerate(pieces, 1)}


CORPUS: dict[str, str] = {
    "control": MARK + "a\x01b\x07c\x08d\x0be\x0cf\x1bg\x1fh\x7fi\x80j\x85k\x9fl\tm",
    "separators": MARK + "a\u2028b\u2029c\u00a0d\u3000e\u202ff\u1680g\u205fh",
    "noncharacters": MARK + "a\ufdd0b\ufffec\uffffd\U0001fffee\U0010fffff\ue000g\U000f0000h",
    **_in_pieces("format", _of("Cf")),
    "bidi": MARK + "a\u202egnp.exe\u202c \u2066b\u2069 \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "joiners": MARK + "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u0915\u094d\u200d\u0937 \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "emoji": MARK + "\U0001f44d\U0001f3fd \U0001f1e9\U0001f1ea 1\ufe0f\u20e3 \u2764\ufe0f \U0001f3f4\U000e0067\U000e0062\U000e007f \U0001f393",
    "compatibility": MARK + "\ufb01\uff21\uff10\u2460\u00bd\u212b\uff1d1\uff0b1 \ufdfa \u33a1",
    "planes": MARK + _planes(),
    "decomposed": MARK + unicodedata.normalize("NFD", "Ärger in Übach \u1ec7 \uac01"),
    "combining": MARK + "e" + "\u0301\u0323\u0489" * 8 + " \u0301alone",
    "long": MARK + "W" * 62,
    "scripts": MARK + "日本語 한국어 ไทย हिन्दी தமிழ் ქართული አማርኛ ᚠᚢ ꙮ \U00012000 \U0001d400",
    "formula": "=" + MARK + '()|"; <b>&amp;{{7*7}}#read("x")$x$',
}  # fmt: skip
