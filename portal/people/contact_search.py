"""Search contacts by name, mail address and telephone number, as parts of the SQL of lists."""

import re
import unicodedata

from portal.mailboxes import canonical

BY_NAME = "strpos(folded(name), (select folded(?))) > 0"
BY_MAIL = "id in (select contact_id from credential where strpos(email, ?) > 0)"
# Of a telephone number only the digits count, without zeros at the start: `040 555` finds `+49 (0)40 555`.
BY_TELEPHONE = r"strpos(regexp_replace(replace(phone, '(0)', ''), '\D', '', 'g'), ?) > 0"
"""SQL conditions on the columns of `contact`; `?` stands for the text that is searched."""

PUNCTUATION = ".,;:!?()[]\"'„“”‚‘’«»"
"""Punctuation marks that are ignored around a word of a search text."""
_FEWEST_DIGITS = 5
"""The fewest digits that are searched among telephone numbers; fewer are in too many of them."""


def telephone_digits(text: str) -> str:
    """Return the digits of the text if it may be a telephone number or a part of one, else ""."""
    if not re.fullmatch(r"\+?[0-9 ()/.\-]+", text):
        return ""
    digits = re.sub(r"\D", "", text.replace("(0)", "")).lstrip("0")
    return digits if len(digits) >= _FEWEST_DIGITS else ""


def mail_part(word: str) -> str:
    """Return the mail address, or part of one with an `@`, in the spelling in which it is stored; else ""."""
    plain = unicodedata.normalize("NFKC", word).lower()
    if "@" not in plain:
        return ""
    try:
        return canonical(word)
    except ValueError:
        return plain
