"""SQL conditions that find contacts by name, mail address or telephone number, for the searches of several lists.

The functions recognise a telephone number or a mail address in the text that was typed.
"""

import re
import unicodedata

from portal.mailboxes import canonical

BY_NAME = "strpos(folded(name), (select folded(?))) > 0"
BY_MAIL = "id in (select contact_id from credential where strpos(email, ?) > 0)"
# Only the digits of a telephone number are compared, without `(0)`: `040 555 12` finds `+49 (0)40 555 12`.
BY_TELEPHONE = r"strpos(regexp_replace(replace(phone, '(0)', ''), '\D', '', 'g'), ?) > 0"
"""SQL conditions on the columns of `contact`; `?` stands for the name, for `mail_part` or for `telephone_digits`."""

PUNCTUATION = ".,;:!?()[]\"'„“”‚‘’«»"
"""Punctuation marks that are ignored around a word of a search text."""
_FEWEST_DIGITS = 5
"""The minimum number of digits for a search among telephone numbers; fewer digits occur in too many of them."""


def telephone_digits(text: str) -> str:
    """Return the digits of a text that may be a telephone number or a part of one, without leading zeros and `(0)`.

    Return "" for a text that contains other characters than telephone numbers do, or fewer than five such digits.
    """
    if not re.fullmatch(r"\+?[0-9 ()/.\-]+", text):
        return ""
    digits = re.sub(r"\D", "", text.replace("(0)", "")).lstrip("0")
    return digits if len(digits) >= _FEWEST_DIGITS else ""


def mail_part(word: str) -> str:
    """Return a word that contains an `@` in the spelling in which mail addresses are stored, otherwise "".

    The word may be a part of a mail address, such as `@acme.example`.
    """
    plain = unicodedata.normalize("NFKC", word).lower()
    if "@" not in plain:
        return ""
    try:
        return canonical(word)
    except ValueError:
        return plain
