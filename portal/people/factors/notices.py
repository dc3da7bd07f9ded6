"""Mails that tell people of a change to their second factors, in case somebody else made it."""

from datetime import datetime
from typing import Literal

from portal import jobs

FactorChange = Literal[
    "authenticator_added", "authenticator_removed", "passkey_added", "passkey_removed", "codes_renewed", "all_removed"
]


async def mail_change(credential_id: int, change: FactorChange, at: datetime) -> None:
    """Enqueue the mail that tells the person of this change; it is sent after the transaction commits.

    The caller's transaction must run as the sign-in role.
    """
    await jobs.enqueue("mail_factor_changed", credential=credential_id, change=change, at=at.isoformat())
