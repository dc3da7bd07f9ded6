"""Compose and send the mails of the portal in the worker (`portal/worker.py`), and record the outcome of each mail.

`letters` composes each kind of mail, and `sending` speaks SMTP. `delivery` composes and sends the mail of one job.
`outgoing` has the records that admins read, `subjects` describes what each mail is about, and `refusals` has the mail
addresses that a mail server has refused for good.
"""

from portal.mail.delivery import Delivery, deliver
from portal.mail.letters import (
    LETTERS,
    Ids,
    factor_changed,
    invitation,
    invoice,
    password_changed,
    password_reset,
    told,
)
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
