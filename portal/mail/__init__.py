"""Write and send mail. The worker calls this room (`portal/worker.py`)."""

from portal.mail.letters import factor_changed, password_changed, password_reset
from portal.mail.sending import NotSent, send

__all__ = ["NotSent", "factor_changed", "password_changed", "password_reset", "send"]
