"""The one spelling of a mail address: it is stored, found, invited, mailed and counted by it, whatever spelling somebody types."""

import unicodedata

import email_validator
import idna
from email_validator import EmailNotValidError, validate_email

LONGEST = 254
"""Characters of an address (RFC 5321, 4.5.3.1.3)."""
_SENTENCE = "Write one e-mail address, such as name@company.example."
_JOINERS = "\u200c\u200d"
_LETTERS = idna.idnadata.codepoint_classes["PVALID"]
"""What a domain name may have, too: letters, marks and digits that can be seen, of all scripts."""

# An intranet may use names such as `company.local`, and the demo uses `.example`.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def canonical(text: str) -> str:
    """Return an address such as `uwe@grün.example` in small letters, with its domain in Unicode, as NFC.

    Invisible characters are dropped, fullwidth ones (`．`) become ordinary, and `xn--` domains are decoded. Joiners are refused, because they
    are part of a few domain names and of no mailbox. Raises ValueError with a sentence for the field.
    """
    typed = unicodedata.normalize("NFKC", text[: 2 * LONGEST])
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
    """Return an address with its domain in ASCII (`xn--`), as every mail server takes it. Raises ValueError for one that is none.

    Letters before the @ have no other spelling; a server that does not take them (SMTPUTF8) refuses the mail.
    """
    checked = _checked(address)
    return f"{checked.local_part}@{checked.ascii_domain}"


def _checked(address: str) -> email_validator.ValidatedEmail:
    return validate_email(address, check_deliverability=False, globally_deliverable=False)
