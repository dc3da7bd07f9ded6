"""Test the limits on how much one customer and one person may store in files."""

from datetime import timedelta
from pathlib import Path

import pytest

from portal.database import transaction
from portal.desk.files import attachments
from portal.errors import Invalid, TooMany
from portal.people.readers import ContactReader
from portal.storage import new_key, open_storage
from tests.desk.files import upload
from tests.desk.test_messages import LATER, opened
from tests.world import ADA, GIL, NOW


@pytest.mark.usefixtures("dsn")
async def test_files_beyond_the_customers_share_are_refused_and_the_text_is_not_sent(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R58: a reply whose files would exceed the customer's quota is refused, and neither text nor files are stored."""
    storage = open_storage(f"file://{files}")
    monkeypatch.setattr(attachments, "QUOTA", 20)
    case = await opened(files=[await upload(storage, ADA, content=b"fourteen bytes")])
    more = await upload(storage, ADA, content=b"7 bytes")
    with pytest.raises(Invalid, match="fill the 20 GB"):
        async with transaction(ADA):
            await case.reply(by=ADA, text="One more.", files=[more], at=LATER)
    async with transaction(ADA, readonly=True) as tx:
        assert await tx.fetchval("select count(*) from message where text = 'One more.'") == 0
    fitting = await upload(storage, ADA, content=b"6 more")
    async with transaction(ADA):
        await case.reply(by=ADA, text="One more.", files=[fitting], at=LATER)


@pytest.mark.usefixtures("dsn")
async def test_one_person_leaves_only_so_many_files_without_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """R58: a person may have only so many uploads of the last hour that belong to no message yet.

    Ada's next upload is refused until her first one is an hour old. Gil can upload meanwhile.
    """
    monkeypatch.setattr(attachments, "MAX_PENDING", 2)

    async def announce(reader: ContactReader, minutes: int) -> None:
        async with transaction(None):
            await attachments.announce(new_key(), reader.credential_id, NOW + timedelta(minutes=minutes))

    await announce(ADA, 0)
    await announce(ADA, 10)
    with pytest.raises(TooMany) as refusal:
        await announce(ADA, 50)
    assert refusal.value.retry_after == 10 * 60
    await announce(GIL, 50)
    await announce(ADA, 61)
