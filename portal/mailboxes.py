"""The canonical spelling of mail addresses, in which they are stored, looked up and counted."""

import unicodedata

import email_validator
import idna
from email_validator import EmailNotValidError, validate_email

LONGEST = 254
"""The maximum number of characters of a mail address (RFC 5321, 4.5.3.1.3)."""
_SENTENCE = "Write one mail address, such as name@company.example."
_JOINERS = "\u200c\u200d"
_LETTERS = idna.idnadata.codepoint_classes["PVALID"]
"""The code points that IDNA allows in domain names. Before the @, no other non-ASCII characters are accepted either."""

# Accept special-use domains: an intranet may use names such as `company.local`, and the demo uses `.example`.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def canonical(text: str) -> str:
    """Return a mail address in canonical spelling: lower case, NFC, its domain in Unicode, such as `uwe@grün.example`.

    Invisible characters are dropped, fullwidth characters (`．`) become ordinary ones, and `xn--` domains are decoded.
    Zero-width joiners are refused: a few domain names contain them, but no mailbox does. Raise `ValueError` with a
    message for the form if the text is not a mail address.
    """
    if len(text) > 2 * LONGEST:  # If the text were cut off, it could become another person's mail address.
        raise ValueError(_SENTENCE)
    typed = unicodedata.normalize("NFKC", text)
    seen = "".join(sign for sign in typed if not _is_invisible(sign)).strip()
    try:
        found = unicodedata.normalize("NFC", _checked(seen).normalized.lower())
    except EmailNotValidError:
        raise ValueError(_SENTENCE) from None
    if not all(sign.isascii() or idna.intranges_contain(ord(sign), _LETTERS) for sign in found.rpartition("@")[0]):
        raise ValueError(_SENTENCE)
    return found


def _is_invisible(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cc", "Cf") and sign not in _JOINERS and not sign.isspace()


def for_mail(address: str) -> str:
    """Return a mail address with its domain in ASCII (`xn--`), which every mail server accepts.

    Non-ASCII characters before the @ stay as they are, because they have no ASCII form; a server without SMTPUTF8
    refuses mail to such an address. Raise `ValueError` for text that is not a mail address.
    """
    checked = _checked(address)
    return f"{checked.local_part}@{checked.ascii_domain}"


def _checked(address: str) -> email_validator.ValidatedEmail:
    return validate_email(address, check_deliverability=False, globally_deliverable=False)
