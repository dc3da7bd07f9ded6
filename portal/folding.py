"""Compare words as people do: accents (`Ä` equals A, `é` equals e) and case make no difference.

The database function `folded` (migrations/m0030_folding.py) does the same, and most lists sort and search by it. This
module is for sorting and comparing in Python.
"""

import re
import unicodedata

_LETTERS = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ð": "d", "ħ": "h", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
)
"""Letters that Unicode does not decompose into a base letter and an accent, each with the letters that replace it."""


def folded(words: str) -> str:
    """Return the words without accents and in lower case. Use the result for comparing and sorting only."""
    apart = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", words))
    return apart.lower().translate(_LETTERS)
