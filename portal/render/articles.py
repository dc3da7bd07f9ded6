"""Turn the Markdown of help articles into cleaned HTML: the Markdown of messages, and also headings and images."""

import re

import nh3
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from portal.render.dialect import BRACKETED, SCHEMES, dialect
from portal.render.prose import ATTRIBUTES, CONTENT_TOO, TAGS, link_addresses, words_of

_PICTURE = re.compile(r"!\[([^\[\]\n]{0,200})\]\(([a-z0-9][a-z0-9.-]{0,79})\)")
"""Matches a picture of the article by its name, with the words that describe it: `![The menu](menu.webp)`."""
_OWN = re.compile(r"/help/[a-z0-9-]+/pictures/[a-z0-9.-]+")
"""Matches the URLs of pictures of articles, the only ones that an article may show (R46)."""
PICTURES_AT = "pictures_at"
"""The key under which the parser's environment (`env`) has the base URL of the article's pictures."""
LOWEST = 4


def _picture(state: StateInline, silent: bool) -> bool:
    """Return whether there is an image at the present position of the parser.

    If there is one, move the position behind the image and, unless `silent`, add a token for the image.
    """
    found = _PICTURE.match(state.src, state.pos)
    if not found:
        return False
    if not silent:
        token = state.push("image", "img", 0)
        token.attrs = {"src": state.env[PICTURES_AT] + found[2], "alt": ""}
        token.children = [Token("text", "", 0, content=found[1])]
    state.pos = found.end()
    return True


def _lower_headings(state: StateCore) -> None:
    """Shift the levels of all headings so that the highest becomes `h2`, because only the page's title is an `h1`.

    Levels that would be below `h4` become `h4`.
    """
    headings = [token for token in state.tokens if token.type in ("heading_open", "heading_close")]
    shift = 2 - min((int(token.tag[1]) for token in headings), default=2)
    for token in headings:
        token.tag = f"h{min(int(token.tag[1]) + shift, LOWEST)}"


_MARKDOWN = dialect().enable("heading")
_MARKDOWN.inline.ruler.before("link", "picture", _picture)
_MARKDOWN.core.ruler.push("link_addresses", link_addresses)
_MARKDOWN.core.ruler.push("lower_headings", _lower_headings)


def _allowed(tag: str, attribute: str, value: str) -> str | None:
    """Return `value` to keep an attribute, or None to remove the attribute.

    `src` is removed unless the URL is a picture of an article. `href` is removed unless the URL has a scheme of
    `SCHEMES`. All other attributes stay.
    """
    if attribute == "src":
        return value if _OWN.fullmatch(value) else None
    if attribute == "href":
        return value if value.partition(":")[0].lower() in SCHEMES else None
    return value


_CLEANER = nh3.Cleaner(
    tags={*TAGS, "h2", "h3", "h4", "img"},
    clean_content_tags=CONTENT_TOO,
    attributes={**ATTRIBUTES, "img": {"src", "alt"}},
    allowed_classes={"ol": {BRACKETED}},
    attribute_filter=_allowed,
    strip_comments=True,
    link_rel="noopener noreferrer nofollow",
    generic_attribute_prefixes=set(),
    url_schemes=SCHEMES,
    url_relative="pass_through",
)


def cleaned_article(html: str) -> str:
    """Return the HTML without the tags and attributes that articles may not have.

    Cleaning the result again changes nothing.
    """
    return _CLEANER.clean(html)


def article(text: str, pictures_at: str) -> str:
    """Return the Markdown of an article as cleaned HTML. `pictures_at` is the base URL of its images."""
    return cleaned_article(str(_MARKDOWN.render(text, {PICTURES_AT: pictures_at}))).strip()


def plain_article(text: str) -> str:
    """Return the words of an article on one line, without formatting marks and images."""
    return words_of(_MARKDOWN.parse(text, {PICTURES_AT: ""}))
