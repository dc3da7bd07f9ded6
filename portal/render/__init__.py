"""Pages, mails and documents from templates: the only place that knows Jinja and the only one that marks text as safe HTML.

`render("agent/cases/list.html", reader=..., company=..., now=..., ...)` gives the page as text. Three things of the context
steer the formats: `reader` (locale and time zone; else the company's zone and British English), `company` and `now`.
"""

from collections.abc import Callable
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from portal.render import assets, browsers, drawings, formats, letters, prose
from portal.words import CHOICES

PACKAGE = Path(__file__).parent.parent


@cache
def folder(name: str) -> Path:
    """`templates` or `static`: inside the package in an installed wheel, beside it in the repository."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def render(template: str, **context: object) -> str:
    """The template's text. A name that the template needs and the context lacks raises `jinja2.UndefinedError`."""
    with formats.reading(context.get("reader"), context.get("company"), context.get("now")):
        return ENVIRONMENT.get_template(template).render(context)


@cache
def static(path: str) -> str:
    """Return the address of a static file or bundle with the hash of its content, so that browsers may keep it for good: `static("style.css")`.

    As templates, it is read once.
    """
    return assets.address(folder("static"), path)


def message_html(text: str) -> Markup:
    """A stored message, cleaned once more (rules may have grown since) and closed to htmx (R40, R46)."""
    return Markup('<div class="prose" hx-ignore>{}</div>').format(Markup(prose.cleaned(text)))


def markdown(text: str) -> str:
    """What people type, as HTML that holds only what `prose` allows. Store this, show it by `|trusted`."""
    return prose.markdown(text)


def plain(text: str) -> str:
    """Markdown as one line of bare words, for a quotation."""
    return prose.plain(text)


def stamp(at: Any, kind: str = "moment") -> Markup:
    """`<time>` with the instant in `datetime`, the full form in the title and the short one as text (`moment`, `ago`, `day`, `time`)."""
    return Markup(
        f'<time datetime="{escape(formats.iso(at))}" title="{escape(formats.full(at))}">{escape(_STAMPS[kind](at))}</time>'
    )


_STAMPS: dict[str, Callable[[Any], str]] = {
    "moment": formats.moment,
    "ago": formats.ago,
    "day": formats.day,
    "time": formats.time_of_day,
}


def dom_id(*parts: object) -> str:
    """The id of an element that stands for something: dom_id("message", 7) gives `message-7`. Templates, swaps and tests all use it."""
    return "-".join(str(part) for part in parts)


def _drawn(draw: Callable[..., str]) -> Callable[..., Markup]:
    """Drawings escape their texts themselves (`drawings.attributes`), so their SVG is HTML; the same is not drawn twice."""

    @lru_cache(maxsize=2048)
    def drawing(*values: Any, **options: Any) -> Markup:
        return Markup(draw(*values, **options))

    return drawing


@lru_cache(maxsize=512)
def icon(name: str, label: str | None = None, size: int = 16) -> Markup:
    """A lucide icon as inline SVG. Without a label it is decoration; beside words it needs none."""
    return Markup(drawings.icon(folder("static") / "vendor" / "icons", name, label, size))


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder("templates")),
        undefined=StrictUndefined,
        autoescape=select_autoescape(
            enabled_extensions=(), disabled_extensions=("txt",), default=True
        ),  # text is no markup
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # each include would ask the disk whether its file has changed
    )
    # What stands in rows is a filter: a call of a function costs Jinja twice as much.
    environment.filters |= {
        "avatar": _drawn(drawings.avatar),
        "bars": _drawn(drawings.bars),
        "ring": _drawn(drawings.ring),
        "ago": formats.ago,
        "amount": formats.amount,
        "browser": browsers.named,
        "clock": formats.clock,
        "country": formats.country,
        "day": formats.day,
        "day_long": formats.day_long,
        "filesize": formats.filesize,
        "full": formats.full,
        "initials": formats.initials,
        "iso": formats.iso,
        "iso_day": formats.iso_day,
        "markdown": lambda text: message_html(prose.markdown(text)),
        "moment": formats.moment,
        "money": formats.money,
        "number": formats.number,
        "percent": formats.percent,
        "read_day": date.fromisoformat,
        "spoken": formats.spoken,
        "stamp": stamp,
        "trusted": message_html,
    }
    environment.globals |= {
        "choices": CHOICES,
        "dom_id": dom_id,
        "icon": icon,
        "mark": _drawn(drawings.mark),
        "meter": _drawn(drawings.meter),
        "pie": _drawn(drawings.pie),
        "plural": formats.plural,
        "printing_note": letters.printing_note,
        "static": static,
        "zone_name": formats.zone_name,
    }
    return environment


ENVIRONMENT = _environment()

__all__ = ["ENVIRONMENT", "dom_id", "folder", "icon", "markdown", "message_html", "plain", "render", "stamp", "static"]
