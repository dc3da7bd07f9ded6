"""Tell people what happened: each thing once, in the app and by mail, as each person has chosen.

`kinds` is the registry of what people are told of. `passing` makes notices of the rows of the outbox, and `reminders`
makes those that no change causes. `inbox` reads the notices of one person, and `choices` what they want to be told.
"""

from portal.notices.inbox import COUNTED, Inbox, delete_old, find, inbox, read, unread
from portal.notices.passing import pass_on
from portal.notices.reminders import remind

__all__ = ["COUNTED", "Inbox", "delete_old", "find", "inbox", "pass_on", "read", "remind", "unread"]
