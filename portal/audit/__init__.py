"""Read the audit log, in which database triggers record who changed what (R89, R90).

The log covers changes of access, prices, the company, submitted time and documents, and downloads of documents. Because
triggers write the rows of the log (`migrations/m0015_audit.py`), no code can forget a row, and no database role of the
app can insert or change rows itself.
"""

from portal.audit.changes import Change
from portal.audit.log import KINDS, MOST_IN_A_FILE, PAGE, Filter, how_many, latest, record_download, sheet
from portal.audit.names import PEOPLE, THINGS

__all__ = [
    "KINDS",
    "MOST_IN_A_FILE",
    "PAGE",
    "PEOPLE",
    "THINGS",
    "Change",
    "Filter",
    "how_many",
    "latest",
    "record_download",
    "sheet",
]
