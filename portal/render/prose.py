"""What people write, as HTML that cannot act: Markdown in, a short list of tags out (R40, R46, R47)."""

import nh3
from markdown_it import MarkdownIt

TAGS = {
    *("p", "br", "hr", "strong", "em", "b", "i", "u", "s", "del", "code", "pre", "blockquote"),
    *("ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}
# of these the content goes too: it was never meant to be read
CONTENT_TOO = {"script", "style", "title", "head", "template", "noscript", "iframe", "object", "svg", "math"}

# Headings are off: `#1042` at the start of a line is a case number here. Pictures are off: they would fetch from elsewhere (R46).
_MARKDOWN = (
    MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True})
    .enable(["table", "strikethrough"])
    .disable(["heading", "lheading", "image", "html_block", "html_inline"])
)

_CLEANER = nh3.Cleaner(
    tags=TAGS,
    clean_content_tags=CONTENT_TOO,
    attributes=ATTRIBUTES,
    strip_comments=True,
    link_rel="noopener noreferrer nofollow",
    generic_attribute_prefixes=set(),
    url_schemes=SCHEMES,
    url_relative="deny",
)


def cleaned(html: str) -> str:
    """The HTML without anything that is not on the lists above; cleaning twice changes nothing."""
    return _CLEANER.clean(html)


def markdown(text: str) -> str:
    """Markdown to cleaned HTML; HTML in the text is shown as it was typed."""
    return cleaned(str(_MARKDOWN.render(text))).strip()


def plain(text: str) -> str:
    """The words of a Markdown text on one line, without its marks."""
    words = []
    for token in _MARKDOWN.parse(text):
        for part in token.children or [token]:
            words.append(" " if part.type in ("softbreak", "hardbreak") else part.content)
        words.append(" ")
    return " ".join("".join(words).split())
