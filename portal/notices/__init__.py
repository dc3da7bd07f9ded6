"""Notify people of events: of each event once, in the app and by mail, as each person has chosen.

`kinds` is the registry of all kinds of notices. `passing` makes notices from the rows of the outbox, and `reminders`
and `warnings` make the notices that are not caused by a change. `inbox` reads the notices of one person, and `marking`
marks them as read. `choices` stores how each person is notified of each kind, and `mailing` puts the notices that are
due into mails.
"""

from portal.notices.inbox import COUNTED, Inbox, delete_old, find, inbox, leading_to, unread
from portal.notices.marking import read, read_no_more
from portal.notices.passing import pass_on
from portal.notices.reminders import remind

__all__ = [
    "COUNTED",
    "Inbox",
    "delete_old",
    "find",
    "inbox",
    "leading_to",
    "pass_on",
    "read",
    "read_no_more",
    "remind",
    "unread",
]
