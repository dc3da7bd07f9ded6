"""Compose and send the mails of the portal, and record the outcome of each. The worker (`portal/worker.py`) does so.

`letters` composes each kind of mail, `sending` speaks SMTP, `delivery` does both for a job. `outgoing` has the records that
admins read, and `refusals` the addresses that a mail server has refused for good.
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
