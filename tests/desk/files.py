"""Store files and record them as uploads, as the web layer does before a message contains them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.database import transaction
from portal.desk.files.attachments import announce
from portal.storage import Storage, new_key
from tests.world import NOW


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
    """Store a file that `reader` has chosen but not sent with a message yet, and return it."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    key = new_key()
    async with transaction(None):
        await announce(key, reader.credential_id, at)
    stored = await storage.store(key, chunks(), limit=1_000_000)
    return StoredUpload(name, "text/plain", stored.size, stored.sha256, stored.key)
