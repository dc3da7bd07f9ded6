"""The Markdown of messages: CommonMark without the rules that would change what technical people type.

Paths, masks, arithmetic and HTML entities stay as typed: backslashes, single `*` and `_`, `~` and `&lt;` are not
formatting. Lists, quotes, links, tables, code and **bold** work. Headings are off, because `#1042` at the start of a
line is a case number. Images are off, because the browser would fetch them from other sites (R46).

The functions that take a `state` are rules of the parser markdown-it-py. A rule for a kind of element returns whether
such an element begins at the present place and, unless `silent`, adds the tokens of the element.
"""

import re
import unicodedata

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, hr, list_block
from markdown_it.rules_block.fence import make_fence_rule
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Delimiter

SCHEMES = {"http", "https", "mailto"}
"""The URL schemes that a link may have."""

BRACKETED = "bracketed"
"""The CSS class of a list whose numbers are followed by a bracket: `1)` instead of `1.`."""

OFF = (
    "heading", "lheading", "html_block", "html_inline", "image",
    "escape", "entity",  # Escapes would change `\\fs01\_alt`, entities `&lt;b&gt;`.
    "autolink",  # An autolink loses the brackets of `Ada <ada@acme.example>`.
    "reference",  # A link definition such as `[error]: disk full` is not shown.
)  # fmt: skip

_NO_BULLET = re.compile(r"[ \t]*(\+|\*[ \t]+[*\d]|[-*][ \t]*$)")
"""Matches a line that only looks like a list item: `+ added`, `* * * * * backup` (cron), `* 5`, or a mark alone."""
# The characters that may not stand directly before bold text, and those with which bold text may not begin or end.
_NO_BOLD_BEFORE = set("_)]}\\/*.")
_NO_BOLD_FIRST = set("/\\*")
_NO_BOLD_LAST = set("/\\*,;(")
_fence = make_fence_rule(markers=("`",))


class _Markdown(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        """Return whether `[text](url)` becomes a link: its URL must have an allowed scheme.

        So `row[i](x)` stays as typed.
        """
        scheme, colon, _ = url.partition(":")
        return bool(colon) and scheme.lower() in SCHEMES


def dialect() -> MarkdownIt:
    """Return a parser for the Markdown that messages use."""
    markdown = _Markdown("commonmark", {"html": False, "linkify": False, "breaks": True}).enable("table").disable(OFF)
    block, inline = markdown.block.ruler, markdown.inline.ruler
    block.at("hr", _rule_of_dashes, {"alt": ["paragraph", "blockquote", "list"]})
    block.at("list", _list, {"alt": ["paragraph", "blockquote"]})
    block.at("fence", _code, {"alt": ["paragraph", "blockquote", "list"]})
    block.before("paragraph", "ends_element", _ends_element, {"alt": ["paragraph", "blockquote"]})
    inline.at("emphasis", _bold)
    markdown.core.ruler.push("typed_numbers", _keep_numbers)
    return markdown


def _ends_element(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Return whether the line ends the quote, list item or table above it.

    A line without `>` ends a quote, a line that is indented less ends a list item, and a line without `|` ends a table.
    CommonMark would add such a line to the quote, list item or table ("lazy continuation"). The rule adds no token, and
    returns False unless `silent`.
    """
    if state.parentType == "table":
        return silent and "|" not in _text_of(state, line)
    return silent and (state.parentType == "blockquote" or state.sCount[line] < state.blkIndent)


def _rule_of_dashes(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Accept only `---` as a horizontal rule, because people type `***` as a mask and `____` as a blank to fill in."""
    return _text_of(state, line).startswith("-") and hr(state, line, end, silent)


def _list(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Parse a list, unless its first line matches `_NO_BULLET`."""
    return not _NO_BULLET.match(_text_of(state, line)) and list_block(state, line, end, silent)


def _code(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """Parse a code block that begins with three backticks.

    Return False if several words follow on the line of the backticks, because a code block would not show these words.
    """
    return len(_text_of(state, line).lstrip("`").split()) <= 1 and _fence(state, line, end, silent)


def _text_of(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _bold(state: StateInline, silent: bool) -> bool:
    """Parse a run of asterisks, and return whether there is one; return False if `silent`.

    Two asterisks around words mean bold; all others stay as typed, as in `2**3**4`, `src/**/x` and `5*6*7`.
    """
    if silent or state.src[state.pos] != "*":
        return False
    length = state.scanDelims(state.pos, True).length
    before = state.src[state.pos - 1] if state.pos > 0 else " "
    after = state.src[state.pos + length] if state.pos + length < state.posMax else " "
    opens = (
        not after.isspace() and after not in _NO_BOLD_FIRST and not _is_word(before) and before not in _NO_BOLD_BEFORE
    )
    closes = not before.isspace() and before not in _NO_BOLD_LAST and not _is_word(after)
    for _ in range(length):
        state.push("text", "", 0).content = "*"
        if length == 2 and (opens or closes):
            state.delimiters.append(
                Delimiter(marker=ord("*"), length=2, token=len(state.tokens) - 1, end=-1, open=opens, close=closes)
            )
    state.pos += length
    return True


def _is_word(letter: str) -> bool:
    """Return whether a character is a letter or digit of a word. Asterisks inside a word do not mean bold.

    Return False for a wide East Asian letter: East Asian scripts have no spaces between words, so bold may begin and
    end beside such a letter.
    """
    return letter.isalnum() and unicodedata.east_asian_width(letter) not in "WF"


def _keep_numbers(state: StateCore) -> None:
    """Keep the numbers of a numbered list as they were typed: 1, 3, 5 stay 1, 3, 5, and `1)` keeps its bracket."""
    for token in state.tokens:
        if token.type == "ordered_list_open" and token.markup == ")":
            token.attrSet("class", BRACKETED)
        if token.type == "list_item_open" and token.info:
            token.attrSet("value", token.info)
