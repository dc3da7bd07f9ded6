"""Read the audit log: who changed what, as the database records it by itself (R89, R90).

It covers access, prices, the company, submitted time and documents, and also which documents were downloaded. Database
triggers write the rows (`migrations/m0015_audit.py`), so that no code can forget one, and no database role of the app
can write or change them.
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
