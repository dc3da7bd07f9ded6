"""Render pages, mails and documents from templates. Only this package uses Jinja and marks text as safe HTML.

`render("agent/cases/list.html", reader=..., company=..., now=..., ...)` returns the page as text. Three of these
variables decide how values are formatted: `reader` (locale and time zone), `company` and `now` (the current instant).
Without a reader, values are formatted in British English and in the company's time zone.
"""

import contextlib
import sys
import uuid
from collections.abc import Callable
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined, select_autoescape
from jinja2 import __version__ as jinja_version
from jinja2.bccache import Bucket
from markupsafe import Markup, escape

from portal import schedules
from portal.render import articles, assets, browsers, drawings, formats, letters, prose
from portal.words import CHOICES

PACKAGE = Path(__file__).parent.parent


@cache
def folder(name: str) -> Path:
    """Return the path of the folder `templates` or `static`.

    In an installed wheel the folder is inside the package `portal`; in the repository it is beside the package.
    """
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def render(template: str, **context: object) -> str:
    """Return the text that the template makes with these variables.

    Raise `jinja2.UndefinedError` if the template uses a variable that is not given.
    """
    with formats.reading(context.get("reader"), context.get("company"), context.get("now")):
        return ENVIRONMENT.get_template(template).render(context)


@cache
def static(path: str) -> str:
    """Return the URL of a static file or bundle, such as `style.css`, with the hash of its content.

    Because the URL changes with the content, browsers may cache the file without a time limit. Each file is read once
    per process. Raise `FileNotFoundError` if there is no such file or bundle.
    """
    return assets.address(folder("static"), path)


def message_html(text: str) -> Markup:
    """Return the stored HTML of a message, wrapped in an element in which htmx ignores all attributes (R40, R46).

    The HTML is cleaned again, in case the rules have become stricter since it was stored.
    """
    return Markup('<div class="prose" hx-ignore>{}</div>').format(Markup(prose.cleaned(text)))


def article_html(text: str) -> Markup:
    """Return the stored HTML of a help article, cleaned again and wrapped like the HTML of a message."""
    return Markup('<div class="prose article" hx-ignore>{}</div>').format(Markup(articles.cleaned_article(text)))


def article(text: str, pictures_at: str) -> str:
    """Return the Markdown of a help article as cleaned HTML. Templates show this HTML with the filter `article`.

    `pictures_at` is the base URL of the images of the article.
    """
    return articles.article(text, pictures_at)


def plain_article(text: str) -> str:
    """Return the words of a help article on one line, without formatting marks and images."""
    return articles.plain_article(text)


def markdown(text: str) -> str:
    """Return a Markdown text as HTML that contains only the tags that `prose` allows.

    The caller stores this HTML; templates show it with the filter `trusted`.
    """
    return prose.markdown(text)


def plain(text: str) -> str:
    """Return the words of a Markdown text on one line, without formatting marks."""
    return prose.plain(text)


def stamp(at: Any, kind: str = "moment") -> Markup:
    """Return a `<time>` element for the instant `at`.

    The attribute `datetime` has the instant in ISO 8601, `title` the complete date and time. `kind` chooses the short
    form that is shown as text: `moment`, `ago`, `day` or `time`.
    """
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
    """Return an id for an HTML element: `dom_id("message", 7)` is `message-7`.

    Templates, htmx swaps and tests all make their ids with this function, so that they agree.
    """
    return "-".join(str(part) for part in parts)


def _drawn(draw: Callable[..., str]) -> Callable[..., Markup]:
    """Return a function that calls `draw`, marks its text as safe HTML and caches the result.

    The text is safe because the functions of `drawings` escape the values that it contains (`drawings.attributes`).
    """

    @lru_cache(maxsize=2048)
    def drawing(*values: Any, **options: Any) -> Markup:
        return Markup(draw(*values, **options))

    return drawing


@lru_cache(maxsize=512)
def icon(name: str, label: str | None = None, size: int = 16) -> Markup:
    """Return a Lucide icon as inline SVG, `size` pixels wide and high.

    `label` is the text for screen readers. If it is None, screen readers skip the icon; pass None if words beside the
    icon say the same. Raise `FileNotFoundError` if the icon set has no icon of that name.
    """
    return Markup(drawings.icon(folder("static") / "vendor" / "icons", name, label, size))


class _CompiledTemplates(FileSystemBytecodeCache):
    """Keeps compiled templates in the `__pycache__` of this package, as Python keeps compiled modules.

    Without that, a process would spend 20 ms on the first use of each template. A template is compiled again if its
    source, this module or the version of Jinja has changed. If the folder cannot be written, nothing is kept.
    """

    def __init__(self) -> None:
        super().__init__(str(Path(__file__).parent / "__pycache__"), "template-%s")
        self._compiled_for = f"{jinja_version}{Path(__file__).read_text(encoding='utf-8')}"

    def get_source_checksum(self, source: str) -> str:
        """Return a checksum of the template's source, of this module and of the version of Jinja."""
        return super().get_source_checksum(source + self._compiled_for)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write a compiled template to its file, if the folder is there and can be written."""
        with contextlib.suppress(OSError):
            super().dump_bytecode(bucket)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder("templates")),
        bytecode_cache=None if sys.dont_write_bytecode else _CompiledTemplates(),
        undefined=StrictUndefined,
        autoescape=select_autoescape(
            enabled_extensions=(), disabled_extensions=("txt",), default=True
        ),  # Plain text must not be escaped.
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # With `True`, each include would check whether its file has changed.
    )
    # Functions that the rows of lists call are registered as filters, which Jinja calls in half the time of global
    # functions.
    environment.filters |= {
        "avatar": _drawn(drawings.avatar),
        "bars": _drawn(drawings.bars),
        "dial": _drawn(drawings.dial),
        "ring": _drawn(drawings.ring),
        "ago": formats.ago,
        "amount": formats.amount,
        "article": article_html,
        "browser": browsers.named,
        "clock": formats.clock,
        "country": formats.country,
        "day": formats.day,
        "day_long": formats.day_long,
        "own_value": formats.own_value,
        "days_late": formats.days_late,
        "factors": schedules.factors,
        "filesize": formats.filesize,
        "full": formats.full,
        "initials": formats.initials,
        "iso": formats.iso,
        "iso_day": formats.iso_day,
        "markdown": lambda text: message_html(prose.markdown(text)),
        "moment": formats.moment,
        "month": formats.month,
        "money": formats.money,
        "price": formats.price,
        "number": formats.number,
        "percent": formats.percent,
        "read_day": date.fromisoformat,
        "some": formats.some,
        "spoken": formats.spoken,
        "stamp": stamp,
        "trusted": message_html,
    }
    environment.globals |= {
        "choices": CHOICES,
        "dom_id": dom_id,
        "icon": icon,
        "in_order": formats.in_order,
        "mark": _drawn(drawings.mark),
        "meter": _drawn(drawings.meter),
        "new_key": uuid.uuid4,
        "paired_bars": _drawn(drawings.paired_bars),
        "pie": _drawn(drawings.pie),
        "plural": formats.plural,
        "printing_note": letters.printing_note,
        "static": static,
        "zone_name": formats.zone_name,
    }
    return environment


ENVIRONMENT = _environment()

__all__ = [
    "ENVIRONMENT", "article", "article_html", "dom_id", "folder", "icon", "markdown", "message_html", "plain",
    "plain_article", "render", "stamp", "static",
]  # fmt: skip
