"""Understand what was typed into the search: words, phrases in quotation marks, numbers, and parts of telephone numbers."""

import re
from dataclasses import dataclass, field, replace
from typing import Self

from portal.database import current
from portal.desk.lists.questions import quoted_number
from portal.people.contact_search import PUNCTUATION, Named, mail_part, named, telephone_digits
from portal.people.readers import Reader

LONGEST = 200
"""The maximum number of characters of a search text. A longer one is refused."""
SHORTEST_BEGINNING = 3
"""How many letters the last word needs to be searched as the beginning of words, too; shorter ones begin too many."""
_TYPED = re.compile('["„“”«»]([^"„“”«»]+)(["„“”«»])?|(\\S+)')
_CUT = 60
"""`search_vector` cuts longer words to this length."""
_FORMS = "select search_form(typed) from unnest($1::text[]) with ordinality t (typed, place) order by place"


@dataclass(frozen=True, slots=True)
class Part:
    """A word or a phrase: its `words` in the form in which they are searched, which follow one another in a text.

    `is_beginning` says whether the last of them may also be the beginning of a longer word. `mail` and `digits` are the
    part as (a part of) a mail address or a telephone number, or "". `named` are the customers and contacts with this
    name, address or number; their cases match, too.
    """

    words: tuple[str, ...]
    is_beginning: bool = False
    mail: str = ""
    digits: str = ""
    named: Named = field(default_factory=Named)

    def query(self, mark: str = "", *, exact: bool = False) -> str:
        """Return the tsquery for the words, each with the capital letter `mark` before it (see `case_words`).

        With `exact`, the beginnings of words do not match.
        """
        quoted = " <-> ".join(f"'{mark}{word}'" for word in self.words)
        typed = f"{quoted}:*" if self.is_beginning and not exact else quoted
        return f"{typed} | '{mark}{self.digits}':*" if self.digits else typed


@dataclass(frozen=True, slots=True)
class Asked:
    """A search text, understood. `problem` is a sentence if the text cannot be searched.

    A case matches if all `parts` do. `number` is the case number that the text consists of, and `is_quoted` says whether
    it was written with `#`.
    """

    text: str = ""
    parts: tuple[Part, ...] = ()
    number: int | None = None
    is_quoted: bool = False
    problem: str = ""

    @classmethod
    async def read(cls, typed: str, reader: Reader) -> Self:
        """Return the search text of a URL, understood for this reader. Two queries."""
        text = " ".join(typed.replace("\0", "").split())
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
        """Return the tsquery for all words, for texts that are nothing but a name."""
        return " & ".join(f"({part.query()})" for part in self.parts)

    @property
    def names_too_many(self) -> bool:
        """Return whether a word names more customers or contacts than the search looks through."""
        return any(part.named.is_cut for part in self.parts)


def _part(form: str, typed: str, digits: str, *, is_beginning: bool) -> Part:
    """Return the part of a text with this `form`. `digits` are those of the whole text if that is a telephone number."""
    words = tuple(word[:_CUT] for word in form.split(" "))
    is_long_enough = len(words[-1]) >= SHORTEST_BEGINNING
    return Part(words, is_beginning and is_long_enough, mail_part(typed.strip(PUNCTUATION)), digits)
