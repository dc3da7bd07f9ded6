"""Draw clock faces, meters, charts and icons as SVG text, or as HTML elements that the style sheet draws.

Sizes are SVG attributes, because the content security policy forbids style attributes (R39). Colours come from the
classes in `components.css`. Words beside each drawing say the same as the drawing.
"""

import re
from decimal import Decimal
from functools import cache
from math import cos, pi, sin
from pathlib import Path

from markupsafe import escape

from portal.render.formats import initials

WHOLE = 0.999


def attributes(**values: object) -> str:
    """Return these values as escaped HTML attributes, each with a blank before it.

    None omits the attribute. `_` in a name becomes `-`, and a `_` at its end is dropped, as in `class_`.
    """
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for name, value in values.items()
        if value is not None
    )


USUAL = 16
"""The default width of an icon in pixels."""


def svg(size: int | None, body: str, classes: str, label: str | None = None, box: str = "0 0 16 16") -> str:
    """Return a square SVG element, `size` pixels wide and high, with the shapes in `body`.

    If `size` is None, the style sheet decides on the size. `classes` are the CSS classes of the SVG, and `box` is its
    `viewBox`. `label` is the text for screen readers; without a label, screen readers skip the SVG.
    """
    spoken = attributes(role="img", aria_label=label) if label else ' aria-hidden="true"'
    return f"<svg{attributes(class_=classes, width=size, height=size, viewBox=box)}{spoken}>{body}</svg>"


@cache
def _shapes(file: Path) -> str:
    """Return the SVG shapes inside an icon file in a short form, because a page has thirty icons.

    Adjacent paths are joined. The `m` at the start of a path is absolute in SVG, so it becomes `M` when the path is
    appended to another path. The coordinates after this `m` that have no letter mean relative lines, so they get the
    letter `l`. Raise `ValueError` if the file is not an SVG.
    """
    found = re.search(r"<svg[^>]*>(.*)</svg>", file.read_text(encoding="utf-8"), re.S)
    if not found:
        raise ValueError(f"{file.name} is not an SVG")
    shapes = re.sub(r"\s*\n\s*", "", found[1]).replace(" />", "/>")
    return re.sub(r'<path d="[^"]*"/>(?:<path d="[Mm][^"]*"/>)+', lambda paths: _one_path(paths[0]), shapes)


def _one_path(paths: str) -> str:
    absolute = re.sub(r'(?<="/><path d=")m(-?[\d.]++ ?-?[\d.]++) ?(?=[\d.-])', r"M\1l", paths)
    return absolute.replace('"/><path d="m', "M").replace('"/><path d="', "")


def icon(folder: Path, name: str, label: str | None, size: int) -> str:
    """Return one Lucide icon as SVG, `size` pixels wide. `label` is the text for screen readers.

    Raise `FileNotFoundError` if the icon set has no icon of that name.
    """
    # The style sheet makes an icon 16 pixels wide, so that the thirty icons of a page need not say so.
    return svg(None if size == USUAL else size, _shapes(folder / f"{name}.svg"), "icon", label, "0 0 24 24")


def slice_of(share: float, radius: float, centre: float = 8) -> str:
    """Return the SVG shape of a pie slice that begins at twelve o'clock and runs clockwise.

    `share` is the size of the slice, from 0, which gives "", to 1, which gives the whole circle.
    """
    if share <= 0:
        return ""
    if share >= WHOLE:
        return f'<circle cx="{centre:g}" cy="{centre:g}" r="{radius:g}" class="fill"/>'
    x, y = centre + radius * sin(2 * pi * share), centre - radius * cos(2 * pi * share)
    return f'<path class="fill" d="M{centre:g} {centre:g}V{centre - radius:g}A{radius:g} {radius:g} 0 {int(share > 0.5)} 1 {x:.2f} {y:.2f}Z"/>'


def pie(used: float, size: int = 14, label: str | None = None) -> str:
    """Return the SVG of a clock face that is filled up to the share `used` (0 to 1).

    `label` is the text for screen readers.
    """
    return svg(size, '<circle cx="8" cy="8" r="6.6" class="line"/>' + slice_of(used, 4.4), "pie", label)


def mark(size: int = 20) -> str:
    """Return the SVG of the portal's logo: a clock face with a quarter filled."""
    return svg(
        size, '<circle cx="10" cy="10" r="8.4" class="line"/>' + slice_of(0.25, 5.4, 10), "mark", None, "0 0 20 20"
    )


STATUSES = ("new", "open", "waiting_for_customer", "waiting_for_others", "resolved", "closed", "paused")
PRIORITIES = {1: "low", 2: "normal", 3: "high", 4: "urgent"}

# A page of a list has a hundred status icons and avatars, so each is an empty element that the style sheet draws;
# screen readers skip it.


def ring(status: str) -> str:
    """Return the HTML element for the icon of the status of a case, which is shown before the name of the status.

    Raise `KeyError` unless `status` is one of `STATUSES`.
    """
    if status not in STATUSES:
        raise KeyError(status)
    return f'<i class="ring ring-{status.replace("_", "-")}"></i>'


def bars(priority: int) -> str:
    """Return the HTML element for the icon of a priority (1 low to 4 urgent), shown before the name of the priority.

    The style sheet draws one to three bars for 1 to 3, and a square with a line for 4.
    """
    return f'<i class="bars bars-{PRIORITIES[priority]}"></i>'


def dial(used: float) -> str:
    """Return the HTML element for a small pie that shows how much of a deadline's time has passed.

    The share `used`, from 0 to 1, is shown in whole eighths, rounded down.
    """
    return f'<i class="dial dial-{min(8, int(used * 8))}"></i>'


def avatar(name: str | None, ours: bool = False) -> str:
    """Return the HTML element for the initials of a name in a circle: filled for an agent (`ours`), grey for a contact.

    Without a name, the circle is dashed. Screen readers skip the circle, because the name is shown beside it.
    """
    if not name:
        return '<i class="avatar avatar-nobody"></i>'
    side = "avatar avatar-ours" if ours else "avatar avatar-theirs"
    return f"<i{attributes(class_=side, data_initials=initials(name))}></i>"


def meter(
    total: float,
    *,
    used: float = 0,
    pending: float = 0,
    entry: float = 0,
    height: int = 8,
    tone: str = "accent",
    paused: tuple[float, float] | None = None,
) -> str:
    """Return the SVG of a bar that stands for `total`: `used` is solid, `pending` hatched, `entry` paler.

    `entry` is the time entry that a form shows. The rest of the bar is empty. All values are in the same unit; if
    `used`, `pending` and `entry` together exceed `total`, they fill the bar in proportion. For a deadline, `paused` is
    the start and the end of a time during which the clock of the deadline was stopped; this part is hatched. `height`
    is in pixels, and `tone`, the colour, is `accent`, `soon` or `late`. Screen readers skip the bar, because a sentence
    under it says the same.
    """
    whole = max(total, used + pending + entry) or 1
    parts, start = [], 0.0
    for kind, size in (("used", used), ("pending", pending), ("entry", entry)):
        if size > 0:
            parts.append(_part(kind, start, size, whole, height))
            start += size
    if paused:
        parts.append(_part("gap", paused[0], paused[1] - paused[0], whole, height))
        parts.append(_part("paused", paused[0], paused[1] - paused[0], whole, height))
    track = _part("track", 0, whole, whole, height)
    outer = attributes(class_=f"meter meter-{tone}", width="100%", height=height, aria_hidden="true")
    return f"<svg{outer}>{track}{''.join(parts)}</svg>"


def _part(kind: str, start: float, size: float, whole: float, height: int) -> str:
    """Return one rectangle of a meter. `kind` is its CSS class.

    `start`, `size` and the length of the meter, `whole`, are in the same unit.
    """
    shape = attributes(class_=kind, x=f"{100 * start / whole:.2f}%", width=f"{100 * size / whole:.2f}%", height=height)
    hatch = attributes(fill=f"url(#hatch-{kind})") if kind in {"pending", "paused"} else ""
    return f"<rect{shape}{hatch}/>"


def paired_bars(pairs: tuple[tuple[str, Decimal, Decimal], ...], label: str) -> str:
    """Return the SVG of a chart with two bars beside each other for each pair, such as for each month.

    A pair has the text below its bars, and two values, which are 0 or more. The first bar has the CSS class `first`,
    the second `second`. `label` is the text for screen readers; a table beside the chart has the figures.
    """
    highest = max((max(first, second) for _, first, second in pairs), default=Decimal(0)) or Decimal(1)
    shapes = []
    for place, (words, *values) in enumerate(pairs):
        left = place * _PAIR
        for number, (kind, value) in enumerate(zip(("first", "second"), values, strict=True)):
            height = round(_CHART * value / highest, 1)
            x = left + 8 + number * 12
            shapes.append(
                f"<rect{attributes(class_=kind, x=x, y=round(_CHART - height, 1), width=11, height=height)}/>"
            )
        shapes.append(f"<text{attributes(x=left + 20, y=_CHART + 14, text_anchor='middle')}>{escape(words)}</text>")
    box = f"0 0 {_PAIR * len(pairs)} {_CHART + 20}"
    outer = attributes(class_="paired-bars", viewBox=box, role="img", aria_label=label)
    return f"<svg{outer}>{''.join(shapes)}</svg>"


_PAIR, _CHART = 40, 120
"""The width of a pair of bars, and the height of the highest bar, in units of the chart."""
