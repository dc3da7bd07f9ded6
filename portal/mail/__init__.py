"""Compose and send the mails of the portal in the worker (`portal/worker.py`), and record the outcome of each mail.

`letters` lists the kinds of mails, which `accounts`, `documents` and `notices` write by means of `composing`.
`receivers` finds the recipients, and `sending` speaks SMTP. `delivery` composes and sends the mail of one job.
`outgoing` has the records that admins read, `subjects` describes what each mail is about, and `refusals` has the mail
addresses that a mail server has refused for good.
"""

from portal.mail.accounts import factor_changed, invitation, password_changed, password_reset
from portal.mail.delivery import Delivery, deliver
from portal.mail.documents import invoice
from portal.mail.letters import LETTERS, Ids
from portal.mail.notices import told
from portal.mail.sending import NotSent, send

__all__ = [
    "LETTERS",
    "Delivery",
    "Ids",
    "NotSent",
    "deliver",
    "factor_changed",
    "invitation",
    "invoice",
    "password_changed",
    "password_reset",
    "send",
    "told",
]
