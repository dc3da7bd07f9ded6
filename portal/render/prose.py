"""Turn Markdown into HTML with only a few harmless tags and attributes, which can run no script (R40, R46, R47)."""

import re

import nh3
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from portal.render.dialect import BRACKETED, SCHEMES, dialect

TAGS = {
    *("p", "br", "hr", "strong", "em", "b", "i", "u", "s", "del", "code", "pre", "blockquote"),
    *("ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}, "li": {"value"}}
# These elements are removed together with their content, which was never meant to be read.
CONTENT_TOO = {"script", "style", "title", "head", "template", "noscript", "iframe", "object", "svg", "math"}

_MARKDOWN = dialect()

_ADDRESS = re.compile(r"\bhttps?://\w[^\s<>\"`]*", re.IGNORECASE)
_AFTER = ".,;:!?'*_~…"
"""Punctuation marks that may follow a URL in a sentence without belonging to it."""


def link_addresses(state: StateCore) -> None:
    """Turn URLs that are typed with their scheme (https://…) into links. This is a step of the Markdown parser.

    The usual library for this (linkify-it) takes 23 s for a text of 100 kB that consists of URLs.
    """
    for block in state.tokens:
        inside, pieces = 0, []
        for token in block.children or []:
            inside += token.nesting if token.type in ("link_open", "link_close") else 0
            pieces += _split(token) if token.type == "text" and not inside else [token]
        if block.children:
            block.children = pieces


def _split(text: Token) -> list[Token]:
    """Replace each URL in a text token by the tokens of a link, and return all tokens in order."""
    pieces, rest = [], 0
    for found in _ADDRESS.finditer(text.content):
        address = _trimmed(found[0])
        link = Token("link_open", "a", 1, attrs={"href": address})
        pieces += [_text(text.content[rest : found.start()]), link, _text(address), Token("link_close", "a", -1)]
        rest = found.start() + len(address)
    return [*pieces, _text(text.content[rest:])] if pieces else [text]


def _trimmed(address: str) -> str:
    """Return a URL without the punctuation marks at its end that belong to the sentence around it.

    A closing bracket stays if the URL contains the opening bracket.
    """
    unopened = address.count(")") - address.count("(")
    end = len(address)
    while address[end - 1] in _AFTER or (address[end - 1] == ")" and unopened > 0):
        end -= 1
        unopened -= address[end] == ")"
    return address[:end]


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


_MARKDOWN.core.ruler.push("link_addresses", link_addresses)

_CLEANER = nh3.Cleaner(
    tags=TAGS,
    clean_content_tags=CONTENT_TOO,
    attributes=ATTRIBUTES,
    allowed_classes={"ol": {BRACKETED}},
    strip_comments=True,
    link_rel="noopener noreferrer nofollow",
    generic_attribute_prefixes=set(),
    url_schemes=SCHEMES,
    url_relative="deny",
)


def cleaned(html: str) -> str:
    """Return the HTML with only the tags of `TAGS` and the attributes of `ATTRIBUTES`, and only links with `SCHEMES`.

    Cleaning the result again changes nothing.
    """
    return _CLEANER.clean(html)


def markdown(text: str) -> str:
    """Return a Markdown text as cleaned HTML; HTML tags in the text are shown as they were typed."""
    return cleaned(str(_MARKDOWN.render(text))).strip()


def plain(text: str) -> str:
    """Return the words of a Markdown text on one line, without formatting marks but with the numbers of lists."""
    return words_of(_MARKDOWN.parse(text))


def words_of(tokens: list[Token]) -> str:
    """Return the words of a parsed Markdown text on one line, as `plain` does.

    Headings, paragraphs, items of lists and cells of tables are separated by a middle dot, or by a space if the words
    before end with a punctuation mark.
    """
    words = number = ""
    for token in tokens:
        if token.type == "list_item_open" and token.info:
            number += f"{token.info}{token.markup} "
        breaks = ("softbreak", "hardbreak")
        block = "".join(" " if part.type in breaks else part.content for part in token.children or [token])
        if said := " ".join(block.split()):
            apart = "" if not words else " " if words[-1] in ".,:;!?…" else " · "
            words, number = f"{words}{apart}{number}{said}", ""
    return f"{words} {number}".strip()
