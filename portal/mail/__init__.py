"""Write and send the portal's mails. The background worker (`portal/worker.py`) calls this package."""

from portal.mail.letters import factor_changed, password_changed, password_reset, told
from portal.mail.sending import NotSent, send

__all__ = ["NotSent", "factor_changed", "password_changed", "password_reset", "send", "told"]
