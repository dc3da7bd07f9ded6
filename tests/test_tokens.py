"""Test that the colours of `static/css/tokens.css` have enough contrast in light and dark (WCAG 2.2, 1.4.3, 1.4.11)."""

import re
from math import cos, radians, sin
from pathlib import Path

import pytest

TOKENS = Path(__file__).resolve().parent.parent / "static" / "css" / "tokens.css"
COLOUR = re.compile(r"--([\w-]+): light-dark\(oklch\(([\d. ]+)\), oklch\(([\d. ]+)\)\);")

TEXT = 4.5
EDGE = 3.0
GROUNDS = ("surface", "bg", "raised", "sunken", "accent-soft")

PAIRS = [
    *[(ink, ground, TEXT) for ink in ("ink", "ink-2", "ink-3", "accent") for ground in GROUNDS],
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-hover", TEXT),
    *[("late", ground, TEXT) for ground in ("surface", "bg", "late-soft")],
    ("on-late", "late-solid", TEXT),
    *[("soon", ground, TEXT) for ground in ("surface", "soon-soft")],
    *[(ink, "soon-soft", TEXT) for ink in ("ink", "ink-2", "ink-3")],
    *[("good", ground, TEXT) for ground in ("surface", "good-soft")],
    *[(ink, "note", TEXT) for ink in ("note-ink", "ink", "ink-3")],
    ("line-strong", "surface", EDGE),
]


def colours() -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    """Return the lightness, chroma and hue of each colour token, in the light and the dark scheme."""
    return {
        name: (tuple(map(float, light.split())), tuple(map(float, dark.split())))
        for name, light, dark in COLOUR.findall(TOKENS.read_text(encoding="utf-8"))
    }


def luminance(lightness: float, chroma: float, hue: float) -> float:
    """Return the relative luminance of an OKLCH colour, computed through linear sRGB (Ottosson's matrices)."""
    a, b = chroma * cos(radians(hue)), chroma * sin(radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return sum(
        weight * min(1, max(0, part)) for weight, part in zip((0.2126, 0.7152, 0.0722), (red, green, blue), strict=True)
    )


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return the contrast ratio of two OKLCH colours, from 1 to 21."""
    high, low = sorted((luminance(*one[:3]), luminance(*other[:3])), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "ground", "least"), PAIRS, ids=str)
def test_text_can_be_read_on_its_ground(front: str, ground: str, least: float, scheme: int) -> None:
    found = contrast(colours()[front][scheme], colours()[ground][scheme])
    assert found >= least, f"{front} on {ground}: {found:.2f}"


def test_black_on_white_is_21_to_1() -> None:
    assert round(contrast((0, 0, 0), (1, 0, 0)), 1) == 21


def test_no_other_sheet_declares_a_colour_of_its_own() -> None:
    """Only `tokens.css` declares colours, except for the backdrop of dialogs and the arrow of select fields."""
    for sheet in TOKENS.parent.glob("*.css"):
        if sheet != TOKENS:
            text = re.sub(r"::backdrop \{[^}]*\}|url\(\"data:[^\"]*\"\)", "", sheet.read_text(encoding="utf-8"))
            assert not re.search(r"oklch\(|rgba?\(|hsla?\(|#[0-9a-fA-F]{3,8}\b(?![-\w])", text), sheet.name
