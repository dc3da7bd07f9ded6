"""Parse a search text: words, phrases in quotation marks, numbers, and parts of telephone numbers."""

import re
from dataclasses import dataclass, field, replace
from typing import Self

from portal.database import current
from portal.desk.lists.questions import quoted_number
from portal.fields import one_line
from portal.people.contact_search import PUNCTUATION, Named, mail_part, named, telephone_digits
from portal.people.readers import Reader

LONGEST = 200
"""The maximum number of characters of a search text. A longer one is refused."""
SHORTEST_BEGINNING = 3
"""The minimum length at which the last word also matches words that begin with it; shorter ones match too many."""
_TYPED = re.compile('["„“”«»]([^"„“”«»]+)(["„“”«»])?|(\\S+)')
_CUT = 60
"""The length to which longer words are cut, as the SQL function `search_vector` does."""
_FORMS = "select search_form(typed) from unnest($1::text[]) with ordinality t (typed, place) order by place"


@dataclass(frozen=True, slots=True)
class Part:
    """A word or a phrase of a search text.

    `words` are in the form in which they are searched; a text matches if it has these words in a row. `is_beginning`
    says whether the last word may also be the beginning of a longer word. `mail` is the part if it can be a piece of a
    mail address, or "". `digits` are the digits of a part that can be a telephone number, or "". `named` are the
    customers and contacts whose name, mail address or telephone number the part matches; their cases match too.
    """

    words: tuple[str, ...]
    is_beginning: bool = False
    mail: str = ""
    digits: str = ""
    named: Named = field(default_factory=Named)

    def query(self, mark: str = "", *, exact: bool = False) -> str:
        """Return the tsquery for texts that have the words in a row.

        If there are `digits`, the tsquery also matches texts with a number that begins with these digits. Each word and
        the digits get the capital letter `mark` in front, as in the table `case_words`. With `exact`, words that only
        begin with the last word do not match.
        """
        quoted = " <-> ".join(f"'{mark}{word}'" for word in self.words)
        typed = f"{quoted}:*" if self.is_beginning and not exact else quoted
        return f"{typed} | '{mark}{self.digits}':*" if self.digits else typed


@dataclass(frozen=True, slots=True)
class Asked:
    """A parsed search text. `problem` is the error message if the text cannot be searched, otherwise "".

    A case matches if all `parts` match. `number` is the case number if the text is one, and `is_quoted` says whether it
    was typed with `#`.
    """

    text: str = ""
    parts: tuple[Part, ...] = ()
    number: int | None = None
    is_quoted: bool = False
    problem: str = ""

    @classmethod
    async def read(cls, typed: str, reader: Reader) -> Self:
        """Parse the search text of a URL for this reader, with at most two queries."""
        text = one_line(typed)
        if len(text) > LONGEST:
            return cls(text[:LONGEST], problem=f"The text is too long. Search for at most {LONGEST} characters.")
        if not text:
            return cls()
        digits = telephone_digits(text)
        typed_parts = [(text, "")] if digits else [(m[1] or m[3], m[2] or "") for m in _TYPED.finditer(text)]
        forms = [row[0] for row in await current().fetch(_FORMS, [words for words, _ in typed_parts])]
        last = len(forms) - 1 if not (digits or typed_parts[-1][1] or text.startswith("#")) else None
        parts = [
            _part(form, words, digits, is_beginning=place == last)
            for place, (form, (words, _)) in enumerate(zip(forms, typed_parts, strict=True)) if form
        ]  # fmt: skip
        if not parts:
            return cls(text, problem="Type a word or a number: there is no letter and no digit in the text.")
        names = await named([(part.query(), part.mail, part.digits) for part in parts], reader)
        known = (replace(part, named=those) for part, those in zip(parts, names, strict=True))
        return cls(text, tuple(dict.fromkeys(known)), quoted_number(text), text.startswith("#"))

    @property
    def query(self) -> str:
        """Return the tsquery that matches a name (such as the name of a file) if the name contains every part."""
        return " & ".join(f"({part.query()})" for part in self.parts)

    @property
    def names_too_many(self) -> bool:
        """Return whether a part matches the names of more customers or contacts than the search considers."""
        return any(part.named.is_cut for part in self.parts)


def _part(form: str, typed: str, digits: str, *, is_beginning: bool) -> Part:
    """Return the `Part` for a word or phrase. `typed` is its text, and `form` the result of `search_form` for it.

    `digits` are the digits of the whole search text if it can be a telephone number, else "".
    """
    words = tuple(word[:_CUT] for word in form.split(" "))
    is_long_enough = len(words[-1]) >= SHORTEST_BEGINNING
    return Part(words, is_beginning and is_long_enough, mail_part(typed.strip(PUNCTUATION)), digits)
