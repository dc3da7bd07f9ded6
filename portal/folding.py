"""How people compare words: `Ä` is an A, `é` an e, and capital letters are the same as small ones.

The database does the same by its function `folded` (migrations/m0030_folding.py), which most lists sort and search by; this one is for what
is sorted here.
"""

import re
import unicodedata

_LETTERS = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ð": "d", "ħ": "h", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
)
"""Letters that Unicode does not take apart."""


def folded(words: str) -> str:
    """Return the words without accents and in lower case, for comparing and sorting only."""
    apart = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", words))
    return apart.lower().translate(_LETTERS)
