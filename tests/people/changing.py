"""Change a password with the same calls as the account page."""

from datetime import datetime

from portal.database import transaction
from portal.people.access import credentials, passwords


async def change_password(credential_id: int, password: str, at: datetime) -> None:
    fresh = await passwords.chosen(password, [])
    async with transaction(None):
        await credentials.change_password(credential_id, fresh, at)
