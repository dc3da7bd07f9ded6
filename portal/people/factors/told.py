"""Who has their second factor changed is mailed, in case it was not they."""

from datetime import datetime
from typing import Literal

from portal import jobs

Change = Literal[
    "authenticator_added", "authenticator_removed", "passkey_added", "passkey_removed", "codes_renewed", "all_removed"
]


async def tell(credential_id: int, change: Change, at: datetime) -> None:
    """Once the transaction has committed. As the sign-in role."""
    await jobs.enqueue("mail_factor_changed", credential=credential_id, change=change, at=at.isoformat())
