"""Change a password as the account page does."""

from datetime import datetime

from portal.database import transaction
from portal.people import credentials, passwords


async def change_password(credential_id: int, password: str, at: datetime) -> None:
    fresh = await passwords.chosen(password, [])
    async with transaction(None):
        await credentials.change_password(credential_id, fresh, at)
