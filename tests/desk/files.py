"""Create a case for tests of attachments, store files as the web layer does, and list what is attached."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.database import transaction
from portal.desk import Case
from portal.desk.files.attachments import announce
from portal.desk.files.filetypes import picture_of
from portal.storage import Storage, new_key
from tests.world import ADA, INCIDENT, INES, NOW


@dataclass(frozen=True)
class StoredUpload:
    name: str
    media_type: str
    size: int
    sha256: bytes
    key: str


async def upload(
    storage: Storage, reader: Any, name: str = "client.log", content: bytes = b"08:12 started", at: datetime = NOW
) -> StoredUpload:
    """Store a file that `reader` has uploaded but not yet sent with a message, and return it."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    key = new_key()
    async with transaction(None):
        await announce(key, reader.credential_id, at)
    stored = await storage.store(key, chunks(), limit=1_000_000)
    return StoredUpload(name, picture_of(content) or "text/plain", stored.size, stored.sha256, stored.key)


async def opened() -> None:
    """Create a case of Ada. If the database has no cases yet, its number is 1001."""
    async with transaction(ADA):
        await Case.open(by=ADA, subject="VPN", text="It drops.", case_type_id=INCIDENT, at=NOW)


async def attached() -> list[str]:
    """Return the names of all attachments, in the order of their messages."""
    async with transaction(INES, readonly=True) as tx:
        return [row["name"] for row in await tx.fetch("select name from attachment order by message_id, position")]
