"""The search: cases by the words of their subject, messages, notes and file names, and by their contact and customer.

`Asked.read` parses the search text; `found_cases` and `found_files` search. All these functions use the table
`case_words`, which triggers keep up to date (migrations/m0340_case_words.py, m0380_bounded_words.py and
m0495_words_of_one_message.py), and functions of m0530_common_words.py.
"""

from portal.desk.search.asked import LONGEST, Asked
from portal.desk.search.cases import FoundCase, found_cases, suggested_cases
from portal.desk.search.excerpts import Piece, marked
from portal.desk.search.files import FoundFile, found_files
from portal.desk.search.hits import MOST, Found

__all__ = [
    "LONGEST",
    "MOST",
    "Asked",
    "Found",
    "FoundCase",
    "FoundFile",
    "Piece",
    "found_cases",
    "found_files",
    "marked",
    "suggested_cases",
]
