"""Clocks, meters and marks as SVG text: sizes stand in attributes, so that no page needs a style attribute (R39).

Colours come from the classes in `components.css`; words beside a drawing always say the same.
"""

import re
from functools import cache
from math import cos, pi, sin
from pathlib import Path

from markupsafe import escape

from portal.render.formats import initials

WHOLE = 0.999


def attributes(**values: object) -> str:
    """Escaped attributes; None leaves one out, `_` becomes `-`."""
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for name, value in values.items()
        if value is not None
    )


def svg(size: int, body: str, classes: str, label: str | None = None, box: str = "0 0 16 16") -> str:
    """A square drawing, hidden from screen readers unless it has a label."""
    spoken = attributes(role="img", aria_label=label) if label else ' aria-hidden="true"'
    return f"<svg{attributes(class_=classes, width=size, height=size, viewBox=box)}{spoken}>{body}</svg>"


@cache
def _shapes(file: Path) -> str:
    """The inside of an icon file."""
    found = re.search(r"<svg[^>]*>(.*)</svg>", file.read_text(encoding="utf-8"), re.S)
    if not found:
        raise ValueError(f"{file.name} is no SVG")
    return re.sub(r"\s*\n\s*", "", found[1])


def icon(folder: Path, name: str, label: str | None, size: int) -> str:
    """One icon of the set; a name that is not in it raises FileNotFoundError."""
    return svg(size, _shapes(folder / f"{name}.svg"), f"icon icon-{name}", label, "0 0 24 24")


def slice_of(share: float, radius: float, centre: float = 8) -> str:
    """A pie's slice from twelve o'clock, clockwise; `share` of the whole, 0 to 1."""
    if share <= 0:
        return ""
    if share >= WHOLE:
        return f'<circle cx="{centre:g}" cy="{centre:g}" r="{radius:g}" class="fill"/>'
    x, y = centre + radius * sin(2 * pi * share), centre - radius * cos(2 * pi * share)
    return f'<path class="fill" d="M{centre:g} {centre:g}V{centre - radius:g}A{radius:g} {radius:g} 0 {int(share > 0.5)} 1 {x:.2f} {y:.2f}Z"/>'


def pie(used: float, size: int = 14, label: str | None = None) -> str:
    """The clock: `used` (0 to 1) of the time is gone."""
    return svg(size, '<circle cx="8" cy="8" r="6.6" class="line"/>' + slice_of(used, 4.4), "pie", label)


def mark(size: int = 20) -> str:
    """The house's mark: the clock with a quarter used."""
    return svg(
        size, '<circle cx="10" cy="10" r="8.4" class="line"/>' + slice_of(0.25, 5.4, 10), "mark", None, "0 0 20 20"
    )


_RINGS = {
    "new": '<circle cx="8" cy="8" r="6.4" class="line dotted"/>',
    "open": '<circle cx="8" cy="8" r="6.4" class="line"/><path class="fill" d="M8 4.4A3.6 3.6 0 0 1 8 11.6Z"/>',
    "waiting_for_customer": '<circle cx="8" cy="8" r="6.4" class="line"/><path class="line" d="M6.4 6v4M9.6 6v4"/>',
    "waiting_for_others": '<circle cx="8" cy="8" r="6.4" class="line"/><path class="line" d="M5.2 8h5.2M8.4 5.8L10.6 8L8.4 10.2"/>',
    "resolved": '<circle cx="8" cy="8" r="6.4" class="line"/><path class="line" d="M5.4 8.2L7.2 10L10.6 6.2"/>',
    "closed": '<circle cx="8" cy="8" r="6.4" class="line"/><path class="line" d="M5.4 8.2L7.2 10L10.6 6.2"/>',
    "paused": '<path class="line" d="M5.5 4v8M10.5 4v8"/>',
}


def ring(status: str, size: int = 14) -> str:
    """A status's sign, to stand before its word: new, open, waiting_for_customer, waiting_for_others, resolved, closed; or `paused`, two bars."""
    if status not in _RINGS:
        raise KeyError(status)
    return _sign("ring", status.replace("_", "-"), size)


URGENT = 4
PRIORITIES = {1: "low", 2: "normal", 3: "high", URGENT: "urgent"}
_BARS = ((2, 9.5, 4.5), (6.5, 6, 8), (11, 2.5, 11.5))


def bars(priority: int, size: int = 14) -> str:
    """A priority's sign, to stand before its word: 1 low, 2 normal, 3 high are as many bars, 4 urgent is a square with a stroke."""
    return _sign("bars", PRIORITIES[priority], size)


def _sign(kind: str, name: str, size: int) -> str:
    # A list has fifty of them, so they are drawn once a page, by `signs`.
    return f'<svg class="{kind} {kind}-{name}" width="{size}" height="{size}" aria-hidden="true"><use href="#{kind}-{name}"/></svg>'


@cache
def signs() -> str:
    """What the signs of a page point to; it stands on every page of somebody who is signed in."""
    drawn = {f"ring-{status.replace('_', '-')}": body for status, body in _RINGS.items()}
    drawn |= {f"bars-{name}": _bars(priority) for priority, name in PRIORITIES.items()}
    symbols = (f'<symbol class="sign" id="{name}" viewBox="0 0 16 16">{body}</symbol>' for name, body in drawn.items())
    return f'<svg class="signs" width="0" height="0" aria-hidden="true">{"".join(symbols)}</svg>'


def _bars(priority: int) -> str:
    if priority == URGENT:
        return '<rect x="1.5" y="1.5" width="13" height="13" rx="3" class="fill"/><path class="cut" d="M8 4.5v4.4M8 11.2v.4"/>'
    return "".join(
        f'<rect x="{x}" y="{y}" width="3" height="{height}" rx="1" class="{"fill" if place < priority else "rest"}"/>'
        for place, (x, y, height) in enumerate(_BARS)
    )


def avatar(name: str | None, ours: bool = False, size: int = 20) -> str:
    """Initials in a circle: ours petrol, theirs grey, nobody dashed. The name stands beside it, so it is decoration."""
    if not name:
        return svg(size, '<circle cx="16" cy="16" r="15" class="disc"/>', "avatar avatar-nobody", None, "0 0 32 32")
    body = f'<circle cx="16" cy="16" r="15.5" class="disc"/><text x="16" y="20.2" text-anchor="middle">{escape(initials(name))}</text>'
    return svg(size, body, f"avatar {'avatar-ours' if ours else 'avatar-theirs'}", None, "0 0 32 32")


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
    """A bar over `total`: used solid, pending hatched, this entry paler, the rest as track; all in one unit, and never wider than the whole.

    `paused` (from, to, in the same unit) is drawn hatched over the used part, for a deadline's clock; `tone` is accent, soon or late.
    The sentence under the bar says the same, so it is decoration.
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
    shape = attributes(class_=kind, x=f"{100 * start / whole:.2f}%", width=f"{100 * size / whole:.2f}%", height=height)
    hatch = attributes(fill=f"url(#hatch-{kind})") if kind in {"pending", "paused"} else ""
    return f"<rect{shape}{hatch}/>"
